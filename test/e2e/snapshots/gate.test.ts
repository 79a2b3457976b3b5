import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {byFrontDoor, byNode} from '../../support/front-door.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {childrenOf} from '../../support/running-session.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {waitUntil} from '../../support/wait-until.js'

for (const {identity, skip} of IDENTITIES) {
  const shared = sharedGuest(identity)
  test(`a session that begins while files are copied waits for the end of it, ${identity}`, {
    skip,
  }, async () => {
    const guest = await shared()
    await guest.sh('rm -f /root/late; sleep 300 >/dev/null 2>&1 &')
    const snapshot = await heldSnapshot(guest, 'gate')
    const late = await waitingSession(guest, 'echo late >/root/late; cat /root/late')
    await snapshot.release()
    assert.equal(await snapshot.ended(), 0)
    assert.deepEqual(await late.ended(), {status: 0, output: 'late\n'})
    assert.equal((await guest.cli.run('restore', 'play', 'gate', '--force')).status, 0)
    assert.equal((await guest.sh('test -e /root/late')).status, 1)
    await guest.cli.run('stop', '-f', 'play')
  })
}

const emulated = sharedGuest('emulated')

for (const [lane, by] of [
  ['by Node', byNode],
  ['at the front door', byFrontDoor],
] as const) {
  test(`who waits to begin can be interrupted, ${lane}, and is not begun again`, async () => {
    const guest = by(await emulated())
    await guest.sh('rm -f /root/begun; sleep 300 >/dev/null 2>&1 &')
    const snapshot = await heldSnapshot(guest, `interrupted-${lane.length}`)
    const late = await waitingSession(guest, 'echo late; touch /root/begun')
    late.process.kill('SIGINT')
    assert.deepEqual(await late.ended(), {status: 130, output: ''})
    await snapshot.release()
    assert.equal(await snapshot.ended(), 0)
    assert.equal((await guest.sh('test -e /root/begun')).status, 1)
    await guest.cli.run('stop', '-f', 'play')
  })
}

test('what is stopped in the middle of the copy is kept as it came to rest, and not by half', async () => {
  const guest = await emulated()
  await guest.sh('echo written >/root/whole; sleep 300 >/dev/null 2>&1 &')
  const folders = () => readdirSync(join(guest.cli.data, 'layers'))
  const before = folders()
  const snapshot = await heldSnapshot(guest, 'stopped')
  await guest.cli.run('stop', '-f', 'play')
  await snapshot.release()
  assert.equal(await snapshot.ended(), 0)
  assert.equal(
    folders().filter((each) => !before.includes(each)).length,
    1,
    'a fresh upper above the one that is kept, and nothing of the copy',
  )
  assert.equal((await guest.sh('rm /root/whole')).status, 0)
  assert.equal((await guest.cli.run('restore', 'play', 'stopped', '--force')).status, 0)
  assert.equal((await guest.sh('cat /root/whole')).stdout, 'written\n')
  await guest.cli.run('stop', '-f', 'play')
})

test('a session that is not its command yet when all is stopped goes on with the rest', async () => {
  const guest = await emulated()
  // It reads them in the guest before it becomes its command, and takes its time for so much.
  await guest.sh(
    `perl -e 'for (100000 .. 300000) { print "g$_:x:$_:\\n" }' >>/etc/group; sleep 300 >/dev/null 2>&1 &`,
  )
  const session = guest.start('run', 'play', '--', 'echo', 'done')
  let output = ''
  session.stdout?.on('data', (chunk) => {
    output += String(chunk)
  })
  const closed = once(session, 'close')
  // It takes its lock before it reads them.
  await waitUntil('the session with its lock, before its command', () => {
    const holders = holdersOfLocks()
    return familyOf(session.pid ?? 0).some((pid) => holders.has(pid) && nameOf(pid) !== 'echo')
  })
  assert.equal((await guest.cli.run('snapshot', 'play')).status, 0)
  await closed
  assert.equal(output, 'done\n')
  await guest.sh("sed -i '/^g[0-9]*:/d' /etc/group")
  await guest.cli.run('stop', '-f', 'play')
})

/** A snapshot whose cp(1) has been started, and does nothing before it is released. */
async function heldSnapshot({cli}: Guest, label: string) {
  const folder = join(cli.home, 'held')
  const [copying, released] = [join(cli.home, `copying-${label}`), join(cli.home, `released-${label}`)]
  await mkdir(folder, {recursive: true})
  const script = `#!/bin/sh\n: >${copying}\nuntil [ -e ${released} ]; do sleep 0.05; done\nPATH=\${PATH#*:}\nexec cp "$@"\n`
  await writeFile(join(folder, 'cp'), script)
  await chmod(join(folder, 'cp'), 0o755)
  const [program, ...words] = cli.words
  const child = spawn(program, [...words, 'snapshot', 'play', label], {
    cwd: cli.home,
    env: {...cli.env, PATH: `${folder}:${cli.env['PATH']}`},
    stdio: 'ignore',
  })
  const exit = once(child, 'exit')
  await waitUntil('the copy', () => existsSync(copying))
  return {
    release: () => writeFile(released, ''),
    ended: async () => (await exit)[0] as number | null,
  }
}

/** A session that waits for a lock. */
async function waitingSession(guest: Guest, script: string) {
  const child = guest.start('run', 'play', '--', 'sh', '-c', script)
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += String(chunk)
  })
  const closed = once(child, 'close')
  await waitUntil('it to wait', () => {
    const waiting = waitsForLock()
    return [child.pid ?? 0, ...childrenOf(child.pid ?? 0)].some((pid) => waiting.has(pid))
  })
  return {
    process: child,
    ended: async () => {
      const [status] = await closed
      return {status: status as number | null, output}
    },
  }
}

/** A process and its descendants. */
function familyOf(pid: number): number[] {
  const children = readOrNothing(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(familyOf)]
}

function nameOf(pid: number): string {
  return readOrNothing(`/proc/${pid}/comm`).trim()
}

/** A process may end at any time. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Processes that wait for a flock. @see proc_locks(5) */
function waitsForLock(): ReadonlySet<number> {
  return new Set(flocks().flatMap(([, mark, , , , pid]) => (mark === '->' ? [Number(pid)] : [])))
}

/** Processes that have taken a shared flock. */
function holdersOfLocks(): ReadonlySet<number> {
  return new Set(flocks().flatMap(([, , , mode, pid]) => (mode === 'READ' ? [Number(pid)] : [])))
}

/** `1: FLOCK ADVISORY READ PID …`, and with `->` behind its number a lock that is waited for. */
function flocks(): string[][] {
  const lines = readFileSync('/proc/locks', 'utf8').split('\n')
  return lines.filter((line) => line.includes('FLOCK')).map((line) => line.split(/\s+/))
}
