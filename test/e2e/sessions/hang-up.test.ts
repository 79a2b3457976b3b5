import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {type Guest, sharedGuest} from '../../support/guest.js'
import {stopped} from '../../support/running-session.js'

const play = sharedGuest('emulated')

type Ended = {readonly status: number | null; readonly output: string; readonly hangUps: number}

/** Runs a line as nohup(1) does, and hangs up on its process group all the time until it has ended. */
async function underHangUps({cli}: Guest, ...argv: string[]): Promise<Ended> {
  const child = spawn('/bin/sh', ['-c', 'trap "" HUP; echo; exec "$@"', 'sh', ...cli.words, ...argv], {
    ...{cwd: cli.home, env: cli.env, detached: true, timeout: 60_000},
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let hangUps = 0
  const end = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString('utf8')
  })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  while (child.exitCode === null && child.signalCode === null) {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGHUP')
    hangUps++
    await sleep(3)
  }
  return {status: await end, output, hangUps}
}

for (const [what, argv] of [
  ['a plain session', ['run', 'play', 'sh', '-c', 'echo out; exit 42']],
  ['a session with a flag', ['run', '--user', 'games', 'play', 'sh', '-c', 'echo out; exit 42']],
] as const) {
  test(`${what} that is started under nohup survives each hang-up`, async () => {
    const guest = await stopped(play)
    const {status, output, hangUps} = await underHangUps(guest, ...argv)
    assert.deepEqual([status, output], [42, '\nout\n'])
    assert.ok(hangUps > 5)
  })
}

test('a command without a session survives each hang-up under nohup', async () => {
  const {status, output, hangUps} = await underHangUps(await stopped(play), 'ps', 'play', '--json')
  assert.deepEqual([status, output], [0, '\n[]\n'])
  assert.ok(hangUps > 5)
})

test('a hang-up that is ignored outside is not ignored inside', async () => {
  const guest = await play()
  const {status} = await underHangUps(guest, 'run', 'play', 'sh', '-c', 'kill -HUP $$')
  assert.equal(status, 129)
})
