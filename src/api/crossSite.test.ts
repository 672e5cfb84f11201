import assert from 'node:assert/strict'
import test from 'node:test'
import { crossSite } from './crossSite.ts'

test('what a page of another site causes is told from everything else', () => {
  const host = '127.0.0.1:7780'
  const own = [
    { host },
    {},
    { host, origin: 'http://127.0.0.1:7780' },
    { host, origin: 'http://127.0.0.1:3000' },
    { host: '[::1]:7780', origin: 'http://[::1]:9' },
    { host: 'LOCALHOST:7780', origin: 'http://localhost' },
    { host, 'sec-fetch-site': 'same-origin', origin: 'https://behind.a.proxy.example' },
    { host, 'sec-fetch-site': 'same-site' },
    { host, 'sec-fetch-site': 'none' },
  ]
  for (const headers of own) assert.equal(crossSite(headers), null, JSON.stringify(headers))
  const foreign = [
    { host, origin: 'https://evil.example' },
    { host, origin: 'null' },
    { host, origin: '' },
    { host: 'null', origin: 'null' },
    { origin: 'https://evil.example' },
    { host, origin: 'http://127.0.0.1.evil.example:7780' },
    { host, origin: 'http://localhost:7780' },
    { host, 'sec-fetch-site': 'cross-site' },
    { host, 'sec-fetch-site': 'cross-site', origin: 'http://127.0.0.1:7780' },
    { host, 'sec-fetch-site': 'whatever comes' },
    { host, 'sec-fetch-site': '' },
  ]
  for (const headers of foreign) assert.notEqual(crossSite(headers), null, JSON.stringify(headers))
})
