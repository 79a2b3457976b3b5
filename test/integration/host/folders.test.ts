import assert from 'node:assert/strict'
import {test} from 'node:test'
import {makeFolders} from '../../../src/host/files.js'

for (const path of ['/proc/nope', '/proc/nope/below']) {
  test(`${path} is told to be where no folder can be made`, async () => {
    await assert.rejects(makeFolders(path, {mode: 0o700}), {
      code: 'ENVS_STORAGE_FAILED',
      message: 'Could not create the folder "/proc/nope": its file system does not allow new folders.',
    })
  })
}
