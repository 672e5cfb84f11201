import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiBase } from './base-url.ts'

test('the path of the API is put where it is missing, whatever of it is there, and never twice', () => {
  for (const [written, path, base] of [
    ['https://gitlab.com', '/api/v4', 'https://gitlab.com/api/v4'],
    ['https://gitlab.com/', '/api/v4', 'https://gitlab.com/api/v4'],
    ['https://gitlab.com/api/v4', '/api/v4', 'https://gitlab.com/api/v4'],
    ['https://gitlab.com/api/v4//', '/api/v4', 'https://gitlab.com/api/v4'],
    ['https://h/git/api', '/api/v4', 'https://h/git/api/v4'],
    ['https://h/git', '/api/v4', 'https://h/git/api/v4'],
    ['https://h/notapi', '/api/v4', 'https://h/notapi/api/v4'],
    ['gitlab.example.com:8443', '/api/v4', 'https://gitlab.example.com:8443/api/v4'],
    ['http://h', '/rest/api/1.0', 'http://h/rest/api/1.0'],
    ['http://h/bitbucket/rest', '/rest/api/1.0', 'http://h/bitbucket/rest/api/1.0'],
    ['http://h/rest/api/1.0/', '/rest/api/1.0', 'http://h/rest/api/1.0'],
    ['http://h:80:80', '/api/v4', 'http://h:80:80'],
  ] as const)
    assert.equal(apiBase(written, path), base, written)
})

test('another version of the API is left as it is', () => {
  const complete = /\/api\/v\d+$/
  assert.equal(apiBase('https://grid/api/v4/', '/api/v3', complete), 'https://grid/api/v4')
  assert.equal(apiBase('https://grid', '/api/v3', complete), 'https://grid/api/v3')
})
