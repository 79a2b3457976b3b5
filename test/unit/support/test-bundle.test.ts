import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {test} from 'node:test'
import {fileURLToPath} from 'node:url'
// @ts-expect-error A plain script, of the test runner.
import {bundleTests} from '../../../scripts/test-bundle.mjs'
import {temporaryFolder} from '../../support/temporary-folder.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A test that starts a program, which Node gives the folder of counts of its own process. */
const STARTS_A_PROGRAM = `import {spawnSync} from 'node:child_process'
spawnSync(process.execPath, ['-e', 'process.kill(process.pid, 0)'])
`

test('V8 writes its counts for the process of a test alone, not for what the test starts', async (t) => {
  const folder = await temporaryFolder(t)
  const [source, coverage] = [join(folder, 'starts.ts'), join(folder, 'coverage')]
  await writeFile(source, STARTS_A_PROGRAM)
  await mkdir(coverage)
  const {files} = await bundleTests({together: [relative(root, source)], apart: []}, join(folder, 'run'))
  const {status} = spawnSync(process.execPath, files, {env: {...process.env, NODE_V8_COVERAGE: coverage}})
  assert.equal(status, 0)
  assert.equal((await readdir(coverage)).length, 1)
})
