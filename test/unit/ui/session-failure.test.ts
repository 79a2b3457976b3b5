import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {test} from 'node:test'
import {versionLine} from '../../../src/ui/version-line.js'

test('a bug in a plain session is told with the version of envs', () => {
  const module = new URL('../../../src/ui/session-failure.ts', import.meta.url).href
  const program = `
    import {tellSessionFailure} from ${JSON.stringify(module)}
    process.exitCode = tellSessionFailure(new TypeError('a bug'), {isVerbose: false})`
  const {status, stderr} = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    {encoding: 'utf8'},
  )
  assert.equal(status, 125)
  assert.ok(stderr.includes(`This is a bug in envs (${versionLine()}).`), stderr)
})
