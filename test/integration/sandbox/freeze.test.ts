// Tier: e2e, because it makes a whole Debian.
import assert from 'node:assert/strict'
import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {readdirSync, readFileSync} from 'node:fs'
import {createInterface} from 'node:readline'
import type {TestContext} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {systemCalls} from '../../../src/host/machine/arch.js'
import {type Frozen, startFreezer, whileFrozen} from '../../../src/sandbox/freeze.js'
import {signalSender} from '../../../src/store/tools.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {anchorOf, stopped} from '../../support/running-session.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {waitUntil} from '../../support/wait-until.js'

const host = openHost()
const sender = signalSender(host)
const {prctl, setns} = systemCalls(host.architecture)

/** Who may be looked into by nobody: an ordinary program of the host that joined the guest, as a session's does. */
const HIDDEN = `
  my ($anchor, $setns, $prctl) = @ARGV;
  # The user namespace that the pid namespace belongs to, NS_GET_USERNS, and then that.
  open(my $pid, "<", "/proc/$anchor/ns/pid") or die;
  my $owner = ioctl($pid, 0xb701, 0) or die;
  syscall($setns + 0, $owner + 0, 0x10000000) == 0 or die;
  syscall($setns + 0, fileno $pid, 0x20000000) == 0 or die;
  syscall($prctl + 0, 4, 0, 0, 0, 0) == 0 or die;
  $SIG{CHLD} = "IGNORE";
  defined(my $child = fork) or die;
  if (!$child) { sleep 1 while 1 }
  syswrite STDOUT, "$child\\n";
  <STDIN>;
  kill KILL => $child;
`
/** What a guest's own program can do to hide. */
const UNDUMPABLE = `syscall(${prctl}, 4, 0, 0, 0, 0) == 0 or die; sleep 1 while 1`

for (const {identity, skip} of IDENTITIES) {
  const shared = sharedGuest(identity)
  const running = async (t: TestContext, ...scripts: string[]) => {
    const guest = await stopped(shared)
    t.after(() => stopped(shared))
    await guest.sh(scripts.map((script) => `${script} >/dev/null 2>&1 &`).join('\n'))
    return guest
  }

  test(`${identity}: all stand still while work is done, and go on after it`, {skip}, async (t) => {
    const guest = await running(t, 'sleep 4301', `perl -e '${UNDUMPABLE}'`, 'unshare -Ufp sleep 4302')
    const [sleeper = 0, hidden = 0, nested = 0] = await Promise.all(
      ['sleep4301', 'perl-esyscall', 'sleep4302'].map(pidOf),
    )
    const pids = [sleeper, hidden, nested]
    const done = await whileFrozen(anchorOf(guest), sender, async () => pids.map(stateOf))
    assert.deepEqual(done.isFrozen && done.value, ['T', 'T', 'T'])
    assert.deepEqual(pids.map(stateOf), ['S', 'S', 'S'])
  })

  test(`${identity}: all go on when the work fails, and what was stopped before does not`, {
    skip,
  }, async (t) => {
    const guest = await running(t, 'sleep 4301', 'sleep 4302')
    const [sleeper = 0, job = 0] = await Promise.all(['sleep4301', 'sleep4302'].map(pidOf))
    process.kill(job, 'SIGSTOP')
    await waitUntil('the job to stop', () => stateOf(job) === 'T')
    const failing = whileFrozen(anchorOf(guest), sender, () => Promise.reject(new Error('full')))
    await assert.rejects(failing, {message: 'full'})
    assert.deepEqual([sleeper, job].map(stateOf), ['S', 'T'])
  })

  test(`${identity}: who runs in between and stops again is noticed`, {skip}, async (t) => {
    const guest = await running(t, 'sleep 4301', 'sleep 4302')
    const [one = 0, other = 0] = await Promise.all(['sleep4301', 'sleep4302'].map(pidOf))
    const done = await whileFrozen(anchorOf(guest), sender, async () => {
      process.kill(one, 'SIGCONT')
      await waitUntil('it to run', () => stateOf(one) === 'S')
      process.kill(one, 'SIGSTOP')
      await waitUntil('it to stop', () => stateOf(one) === 'T')
    })
    assert.deepEqual(wokenOf(done), ['woken', one])
    assert.deepEqual([one, other].map(stateOf), ['S', 'S'])
  })

  test(`${identity}: work that waits for who runs is broken off`, {skip}, async (t) => {
    const guest = await running(t, 'sleep 4301')
    const one = await pidOf('sleep4301')
    const done = await whileFrozen(anchorOf(guest), sender, async (signal) => {
      process.kill(one, 'SIGCONT')
      await once(signal, 'abort')
    })
    assert.deepEqual(wokenOf(done), ['woken', one])
  })

  test(`${identity}: who can't be looked into is stopped, noticed and let go on`, {skip}, async (t) => {
    const guest = await running(t, 'sleep 4301')
    const hidden = await joinHidden(t, guest)
    assert.throws(() => readdirSync(`/proc/${hidden}/fd`), {code: 'EACCES'})
    const done = await whileFrozen(anchorOf(guest), sender, async () => stateOf(hidden))
    assert.deepEqual([done.isFrozen && done.value, stateOf(hidden)], ['T', 'S'])
    const woken = await whileFrozen(anchorOf(guest), sender, async () => {
      process.kill(hidden, 'SIGCONT')
      await waitUntil('it to run', () => stateOf(hidden) === 'S')
    })
    assert.deepEqual(wokenOf(woken), ['woken', hidden])
    assert.equal(stateOf(hidden), 'S')
  })

  test(`${identity}: who was stopped before stays so where the sender is left alone at once`, {
    skip,
  }, async (t) => {
    const guest = await running(t, 'sleep 4301', 'sleep 4302')
    const [sleeper = 0, job = 0] = await Promise.all(['sleep4301', 'sleep4302'].map(pidOf))
    process.kill(job, 'SIGSTOP')
    await waitUntil('the job to stop', () => stateOf(job) === 'T')
    const freezer = startFreezer(sender, anchorOf(guest))
    assert.equal(await freezer.stop([guestPidOf(job)]), true)
    await waitUntil('it to stop', () => stateOf(sleeper) === 'T')
    // As when its caller is killed before it has said who is to go on.
    await freezer.close()
    assert.deepEqual([sleeper, job].map(stateOf), ['S', 'T'])
  })
}

/** Why it failed, and who is named first: the first process, which hears of its children, may be named too. */
function wokenOf(done: Frozen<unknown>): unknown[] {
  return done.isFrozen ? [] : [done.why, done.pids[0]]
}

/** A process of this user's, by its command line without spaces. */
function pidOf(command: string): Promise<number> {
  return waitUntil(command, () =>
    readdirSync('/proc')
      .map(Number)
      .filter(Number.isInteger)
      .find(
        (pid) =>
          read(`/proc/${pid}/cmdline`).replaceAll('\0', '').startsWith(command) && stateOf(pid) !== 'Z',
      ),
  )
}

/** S for what goes on, for it may just run. @see proc_pid_status(5) State */
function stateOf(pid: number): string {
  const state = /^State:\s+(\S)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? ''
  return state === 'R' ? 'S' : state
}

function guestPidOf(pid: number): number {
  return Number(/^NSpid:.*\s(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1])
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

async function joinHidden(t: TestContext, guest: Guest): Promise<number> {
  const words = ['-e', HIDDEN, String(anchorOf(guest).pid), String(setns), String(prctl)]
  const child: ChildProcess = spawn('perl', words, {stdio: ['pipe', 'pipe', 'inherit']})
  const exit = once(child, 'exit')
  t.after(async () => {
    child.stdin?.end()
    await exit
  })
  assert.ok(child.stdout)
  const [line] = await once(createInterface({input: child.stdout}), 'line')
  return Number(line)
}
