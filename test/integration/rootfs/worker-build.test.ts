import assert from 'node:assert/strict'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {workerProgram} from '../../../src/rootfs/worker/client.js'
import {treeFolder} from '../../support/extraction.js'

const ERROR = {
  event: 'error',
  code: 'ENVS_WORKER_DIED',
  exitCode: 7,
  message: 'envs was replaced by another build while this command ran.',
  suggestions: ['Run the command again.'],
}

for (const [what, words] of [
  ['another build', ['another']],
  ['a build that did not name itself', []],
] as const) {
  test(`the worker refuses the request of ${what}`, async (t) => {
    const request = JSON.stringify({path: await treeFolder(t)})
    const {status, stdout} = await capture([...workerProgram(), 'remove', request, ...words])
    assert.deepEqual([status, JSON.parse(stdout)], [7, ERROR])
  })
}
