import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {type TestContext, test} from 'node:test'
import {bootId, processStartTime} from '../../../src/host/machine/proc.js'
import {anchorFiles, readLiveAnchor, recordAnchor, recordedInit} from '../../../src/sandbox/anchor-state.js'
import {temporaryFolder} from '../../support/temporary-folder.js'
import {waitUntil} from '../../support/wait-until.js'

const OWN = {pid: process.pid, startTime: processStartTime(process.pid) ?? ''}

/** A run-time folder whose state file says that of this process, with changes. */
async function folderWith(t: TestContext, changes: object): Promise<string> {
  const folder = await temporaryFolder(t)
  const state = {schemaVersion: 1, ...OWN, bootId: bootId(), ...changes}
  await writeFile(anchorFiles(folder).state, JSON.stringify(state))
  return folder
}

test('a process that lives is found by its state', async (t) => {
  assert.deepEqual(readLiveAnchor(await folderWith(t, {})), OWN)
})

for (const [what, changes] of [
  ['another process that got its id', {startTime: '1'}],
  ['the boot before this one', {bootId: '00000000-0000-0000-0000-000000000000'}],
  ['a state file that was blown up', {padding: 'x'.repeat(5000)}],
] as const) {
  test(`${what} is not taken for it`, async (t) => {
    assert.equal(readLiveAnchor(await folderWith(t, changes)), undefined)
  })
}

test('without a state file there is none', async (t) => {
  assert.equal(readLiveAnchor(await temporaryFolder(t)), undefined)
})

test('a state file that can not be read is an error, not "not running"', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(anchorFiles(folder).state)
  assert.throws(() => readLiveAnchor(folder), {code: 'EISDIR'})
})

test('a process that ended but was not waited for is gone', async (t) => {
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.after(() => parent.kill('SIGKILL'))
  let output = ''
  parent.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8')
  })
  const pid = Number(await waitUntil('a process id', () => output.endsWith('\n') && output.trim()))
  const folder = await folderWith(t, {pid, startTime: processStartTime(pid) ?? ''})
  await waitUntil('its end', async () => /^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8')))
  assert.equal(readLiveAnchor(folder), undefined)
})

test('the child that bwrap names is recorded, for this user alone', async (t) => {
  const folder = await temporaryFolder(t)
  assert.deepEqual(
    await recordAnchor(folder, `{\n    "child-pid": ${process.pid}\n}\n`, {guestNamespace: 'second'}),
    OWN,
  )
  assert.deepEqual(readLiveAnchor(folder), OWN)
  assert.equal((await stat(anchorFiles(folder).state)).mode & 0o777, 0o600)
})

test('a child that is gone already is not recorded', async (t) => {
  const folder = await temporaryFolder(t)
  assert.equal(await recordAnchor(folder, '{"child-pid": 4194305}', {guestNamespace: 'second'}), undefined)
})

test("a guest's own init that is gone already is recorded and not live, so that its status is waited for", async (t) => {
  const folder = await temporaryFolder(t)
  const init = 'systemd'
  const anchor = await recordAnchor(folder, '{"child-pid": 4194305}', {guestNamespace: 'second', init})
  assert.equal(anchor?.pid, 4194305)
  assert.equal(recordedInit(folder), init)
  assert.equal(readLiveAnchor(folder), undefined)
})
