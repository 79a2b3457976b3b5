import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {test} from 'node:test'
import {versionLine} from '../../../src/cli/render-error.js'

test('a bug in a plain session is told with the version of envs', () => {
  const module = new URL('../../../src/cli/render-error.ts', import.meta.url).href
  const program = `
    import {sessionStatus, reportFailure} from ${JSON.stringify(module)}
    reportFailure(new TypeError('a bug'), {verbose: false, statusOf: sessionStatus})`
  const {status, stderr} = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    {encoding: 'utf8'},
  )
  assert.equal(status, 125)
  assert.ok(stderr.includes(`This is a bug in envs (${versionLine()}).`), stderr)
})
