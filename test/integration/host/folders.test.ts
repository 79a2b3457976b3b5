import assert from 'node:assert/strict'
import {test} from 'node:test'
import {makeFolders, NoPlaceForFolderError} from '../../../src/host/folders.js'

for (const path of ['/proc/nope', '/proc/nope/below']) {
  test(`${path} is told to be where no folder can be made`, async () => {
    await assert.rejects(makeFolders(path, {mode: 0o700}), (error) => {
      assert.ok(error instanceof NoPlaceForFolderError)
      assert.match(error.message, /^The folder \/proc\/nope can not be made/)
      return true
    })
  })
}
