import assert from 'node:assert/strict'
import {once} from 'node:events'
import {chmodSync, lstatSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {ended, pipeOf, start} from '../../../src/host/process.js'
import {repairRunFolder} from '../../../src/store/environments.js'
import {whyNotMapped} from '../../support/environment-cli.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const noMapped = await whyNotMapped()

test('a lock that nobody may open is the same file afterwards, and can be opened', async (t) => {
  const run = await temporaryFolder(t)
  const lock = join(run, 'anchor.lock')
  writeFileSync(lock, '')
  const {ino} = lstatSync(lock)
  chmodSync(lock, 0)
  repairRunFolder({run, lock: join(run, 'no.lock')})
  const mended = lstatSync(lock)
  assert.deepEqual([mended.ino, mended.mode & 0o777], [ino, 0o600])
})

test('what is as envs made it stays, and so does what it did not make', async (t) => {
  const run = await temporaryFolder(t)
  writeFileSync(join(run, 'anchor.json'), '{}', {mode: 0o600})
  mkdirSync(join(run, 'other'), {mode: 0o500})
  symlinkSync('nowhere', join(run, 'link'))
  repairRunFolder({run, lock: join(run, 'no.lock')})
  assert.deepEqual(readdirSync(run).sort(), ['anchor.json', 'link', 'other'])
  assert.equal(lstatSync(join(run, 'other')).mode & 0o777, 0o500)
})

test('what is nothing of envs may be large, a record may not', async (t) => {
  const run = await temporaryFolder(t)
  for (const name of ['other', 'anchor.json']) {
    writeFileSync(join(run, name), '')
    truncateSync(join(run, name), 2 ** 30)
  }
  repairRunFolder({run, lock: join(run, 'no.lock')})
  assert.deepEqual(readdirSync(run), ['other'])
})

test('where there is no folder, none is made', async (t) => {
  const folder = await temporaryFolder(t)
  repairRunFolder({run: join(folder, 'run'), lock: join(folder, 'lock')})
  assert.deepEqual(readdirSync(folder), [])
})

for (const isHeld of [true, false]) {
  const what = isHeld ? 'stays while it is held' : 'goes when nobody holds it'
  test(`a lock of another owner ${what}`, {skip: noMapped}, async (t) => {
    const run = await temporaryFolder(t)
    // Who gives it away is root of a namespace; who mends is a user of the host.
    const script = `exec 9<>"$1"; chown 5:5 "$1"; ${isHeld ? 'flock 9' : 'exec 9>&-'}; echo ready; read -r _`
    const words = ['--map-auto', '--map-root-user', '--', 'sh', '-ec', script, 'sh', join(run, 'anchor.lock')]
    const holder = start(['unshare', ...words], {stdio: ['pipe', 'pipe', 'inherit']})
    const gone = ended(holder)
    t.after(async () => {
      pipeOf(holder, 0).end()
      await gone
    })
    await once(pipeOf(holder, 1), 'data')
    repairRunFolder({run, lock: join(run, 'no.lock')})
    assert.deepEqual(readdirSync(run), isHeld ? ['anchor.lock'] : [])
  })
}
