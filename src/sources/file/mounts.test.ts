import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mountedType, networkFileSystem } from './mounts.ts'

const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:30 / /data rw - nfs4 server:/export rw,vers=4.2
31 30 0:31 / /data/local rw shared:2 master:1 - tmpfs tmpfs rw
32 22 0:32 / /with\\040blank rw - fuse.s3fs s3fs rw
33 22 0:33 / /over rw - ext4 /dev/b rw
34 33 0:34 / /over rw - cifs //server/share rw
broken line
`

test('the innermost mount counts, the later of two at one place, blanks unescaped', () => {
  assert.equal(mountedType(mountinfo, '/etc'), 'ext4')
  assert.equal(mountedType(mountinfo, '/data'), 'nfs4')
  assert.equal(mountedType(mountinfo, '/data/in/deep'), 'nfs4')
  assert.equal(mountedType(mountinfo, '/data/local/x'), 'tmpfs')
  assert.equal(mountedType(mountinfo, '/database'), 'ext4')
  assert.equal(mountedType(mountinfo, '/with blank/x'), 'fuse.s3fs')
  assert.equal(mountedType(mountinfo, '/over'), 'cifs')
  assert.equal(mountedType('', '/'), null)
})

test('a local directory is none, a missing one neither', async () => {
  assert.equal(await networkFileSystem('/proc/self'), null)
  assert.equal(await networkFileSystem('/nowhere/at/all'), null)
})
