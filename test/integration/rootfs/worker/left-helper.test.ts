import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {type TestContext, test} from 'node:test'
import {setImmediate as turn} from 'node:timers/promises'
import {capture} from '../../../../src/host/process.js'
import {
  exportRootfs,
  extractRootfs,
  measureTrees,
  type TreeProcess,
} from '../../../../src/rootfs/worker/api.js'
import {noise} from '../../../support/compressed.js'
import {extractionArena} from '../../../support/extraction.js'
import {isAlive} from '../../../support/process-tree.js'
import {tarArchive, tarMember} from '../../../support/tar-archive.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'
import {BARE} from '../../../support/tree-process.js'
import {waitUntil} from '../../../support/wait-until.js'

type Leaver = {readonly process: TreeProcess; helper(): number}

/**
 * A prefix that leaves a process with all descriptors of the worker, as an unshare(1) does whose helper waits for ever.
 *
 * @param words - Put before the helper's: `setsid` takes it out of the worker's process group.
 * @param then - What the prefix does then.
 */
async function leaver(t: TestContext, words = '', then = 'exec "$@"'): Promise<Leaver> {
  let note = ''
  const helper = () => Number(readFileSync(note, 'utf8'))
  // Hooks run in the order in which they are given: before the folder is removed.
  t.after(() => capture(['kill', '-KILL', String(helper())]))
  note = join(await temporaryFolder(t), 'helper')
  const script = `${words} sleep 1000 & echo $! >"$0"; ${then}`
  return {process: {...BARE, prefix: ['/bin/sh', '-c', script, note]}, helper}
}

const ARCHIVE = tarArchive(tarMember({name: 'file', data: 'hello'}))

for (const words of ['', 'setsid']) {
  const where = words === '' ? 'in its group' : 'in a session of its own'

  test(`a helper that the prefix leaves ${where} does not keep the worker's result back`, async (t) => {
    const {root} = await extractionArena(t)
    const {process: tree} = await leaver(t, words)
    const {entries} = await extractRootfs(tree, Readable.from([ARCHIVE]), {owners: 'caller', root})
    assert.equal(entries, 1)
  })

  test(`a prefix that fails and leaves a helper ${where} is an error with what it said`, async (t) => {
    const {root} = await extractionArena(t)
    const {process: tree} = await leaver(t, words, 'echo refused >&2; exit 7')
    await assert.rejects(measureTrees(tree, [root, root]), (error) => {
      assert.ok(error instanceof Error && error.cause instanceof Error)
      assert.equal(
        error.message,
        'Could not measure the root file system: a program ended with status 7 before it was in the user namespace that owns the files.',
      )
      assert.equal(error.cause.message, 'refused\n')
      return true
    })
  })

  test(`all of an archive arrives at a slow reader beside a helper ${where}`, async (t) => {
    const {outside, root} = await extractionArena(t)
    const data = noise(3_000_000)
    await extractRootfs(BARE, Readable.from([tarArchive(tarMember({name: 'file', data}))]), {
      owners: 'caller',
      root,
    })
    const {process: tree} = await leaver(t, words)
    const pieces: Buffer[] = []
    await exportRootfs(
      tree,
      {root, ledger: join(outside, 'none'), owners: 'caller', comment: 'x'},
      async (archive) => {
        for await (const piece of archive) {
          pieces.push(piece)
          for (let turns = 0; turns < 100; turns++) await turn()
        }
      },
    )
    const bytes = Buffer.concat(pieces)
    assert.ok(bytes.includes(data))
    assert.ok(bytes.subarray(-1024).equals(Buffer.alloc(1024)))
  })
}

test('what the worker leaves in its process group ends with it', async (t) => {
  const {root} = await extractionArena(t)
  const {process: tree, helper} = await leaver(t)
  await extractRootfs(tree, Readable.from([ARCHIVE]), {owners: 'caller', root})
  await waitUntil('the helper to be gone', () => !isAlive(helper()))
})
