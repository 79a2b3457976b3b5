import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {givenEnvironment} from '../../support/store-at-rest.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** Writes down what lies in the folder whose file system it is to sync, and whether the copy has its name by then. */
const WATCHING_SYNC = `#!/bin/sh
{ ls -1 "$2"; [ ! -e "$2/../copy" ] || echo "has its name"; echo .; } >>"$SEEN"
PATH=\${PATH#*:} exec sync "$@"
`

/** What sync(1) saw of a copy, one list for each call of it. */
async function seenBySync(
  t: TestContext,
  given: Parameters<typeof givenEnvironment>[2],
): Promise<string[][]> {
  const folder = await temporaryFolder(t)
  const seen = join(folder, 'seen')
  await writeFile(join(folder, 'sync'), WATCHING_SYNC, {mode: 0o755})
  const cli = await givenEnvironment(t, 'play', given)
  const env = {PATH: `${folder}:${cli.env['PATH']}`, SEEN: seen}
  const {status, stderr} = await cli.runWith({env}, 'clone', 'play', 'copy', '-q')
  assert.equal(status, 0, stderr)
  const text = existsSync(seen) ? await readFile(seen, 'utf8') : ''
  return text
    .split('.\n')
    .slice(0, -1)
    .map((names) => names.split('\n').slice(0, -1))
}

test('all that a clone on layers is made of is put on the disk at once, before it gets its name', async (t) => {
  const seen = await seenBySync(t, {})
  assert.deepEqual(seen, [['env.json', 'history.json', 'ledger.jsonl', 'run', 'usage.json']])
})

test('so is a clone with a whole tree of its own', async (t) => {
  const seen = await seenBySync(t, {storage: 'directory'})
  assert.deepEqual(seen, [['env.json', 'ledger.jsonl', 'rootfs', 'run', 'usage.json']])
})

test('a clone that need not outlive a power cut waits for no disk', async (t) => {
  assert.deepEqual(await seenBySync(t, {variables: {ENVS_DURABLE: 'never'}}), [])
})
