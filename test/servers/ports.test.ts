import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { freePorts } from './process.ts'

test('no port is given twice, in this process and in others', async () => {
  const script = `import { freePorts } from '${new URL('process.ts', import.meta.url)}'; console.log((await freePorts(200)).join())`
  const elsewhere = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  const others = await Promise.all([elsewhere(), elsewhere()])
  const ports = [
    ...(await freePorts(200)),
    ...(await freePorts(200)),
    ...others.flatMap(({ stdout }) => stdout.trim().split(',').map(Number)),
  ]
  assert.equal(ports.length, 800)
  assert.equal(new Set(ports).size, 800)
})
