import assert from 'node:assert/strict'
import {type ChildProcess, spawn} from 'node:child_process'
import {test} from 'node:test'
import {type Guest, IDENTITIES, quoted, sharedGuest} from '../../support/guest.js'
import {waitUntil} from '../../support/wait-until.js'

/** Every value of a byte, in every order of two, as often as fills each buffer on the way. */
const EVERY_BYTE = Buffer.from(
  Array.from({length: 65_536 * 2}, (_, index) => (index & 1 ? index >> 9 : index >> 1)),
)

const LINES = 200_000

type Screen = {readonly child: ChildProcess; bytes(): Buffer; readonly ended: Promise<number | null>}

/** `envs ARGUMENT…` on a terminal of its own, all that the terminal was sent as it is. */
function onRawTerminal({cli}: Guest, ...argv: readonly string[]): Screen {
  const words = ['--quiet', '--return', '--flush', '--command', quoted([...cli.words, ...argv]), '/dev/null']
  const child = spawn('script', words, {
    cwd: cli.home,
    env: {...cli.env, SHELL: '/bin/sh', TERM: 'xterm'},
    timeout: 60_000,
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.on('error', () => {})
  return {
    child,
    bytes: () => Buffer.concat(chunks),
    ended: new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    }),
  }
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: bytes of every value reach the terminal as they are`, {skip}, async () => {
    const guest = await play()
    await guest.runWith({input: EVERY_BYTE}, 'sh', '-c', 'cat >/root/bytes')
    const screen = onRawTerminal(guest, 'run', 'play', '--', 'sh', '-c', 'stty -opost; cat /root/bytes')
    assert.equal(await screen.ended, 0)
    assert.ok(screen.bytes().equals(EVERY_BYTE), `${screen.bytes().length} bytes`)
  })

  test(`${identity}: bytes of every value reach a command that reads raw keys`, {skip}, async () => {
    const guest = await play()
    const program = `system "stty raw -echo"; $| = 1; print "ready"; my $text = ""; while (length $text < ${EVERY_BYTE.length}) { sysread STDIN, $text, 4096, length $text or last } open my $file, ">", "/root/typed"; print $file $text; print "done"`
    const screen = onRawTerminal(guest, 'run', 'play', '--', 'perl', '-e', program)
    await waitUntil('the command', () => screen.bytes().includes('ready'))
    screen.child.stdin?.write(EVERY_BYTE)
    assert.equal(await screen.ended, 0)
    assert.equal((await guest.sh('cmp /root/typed /root/bytes && echo same')).stdout, 'same\n')
  })

  test(`${identity}: a reader that takes its time gets all, and holds nobody else up`, {skip}, async () => {
    const guest = await play()
    const screen = onRawTerminal(guest, 'run', 'play', '--', 'seq', '1', String(LINES))
    screen.child.stdout?.pause()
    assert.equal((await guest.sh('echo meanwhile')).stdout, 'meanwhile\n')
    screen.child.stdout?.resume()
    assert.equal(await screen.ended, 0)
    const lines = screen.bytes().toString('latin1').split('\r\n')
    assert.deepEqual(
      [lines.length, lines[0], lines[LINES - 1], lines[LINES]],
      [LINES + 1, '1', String(LINES), ''],
    )
    assert.ok(lines.slice(0, LINES).every((line, index) => line === String(index + 1)))
  })

  test(`${identity}: Ctrl-C reaches a command whose output nobody reads`, {skip}, async () => {
    const guest = await play()
    const screen = onRawTerminal(guest, 'run', 'play', '--', 'yes')
    await waitUntil('output', () => screen.bytes().length > 0)
    screen.child.stdout?.pause()
    screen.child.stdin?.write('\x03')
    screen.child.stdout?.resume()
    assert.equal(await screen.ended, 130)
  })

  test(`${identity}: the last output of a command is not lost at its end`, {skip}, async () => {
    const guest = await play()
    for (const count of [1, 4095, 4096, 70_000]) {
      const screen = onRawTerminal(
        guest,
        'run',
        'play',
        '--',
        'perl',
        '-e',
        `print "x" x ${count}, "end"; exit 3`,
      )
      assert.equal(await screen.ended, 3)
      assert.equal(screen.bytes().toString('latin1'), `${'x'.repeat(count)}end`)
    }
  })
}
