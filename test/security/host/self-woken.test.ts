import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {chmod, mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../../src/host/host.js'
import type {DebArchitecture} from '../../../src/host/machine/arch.js'
import {capture} from '../../../src/host/process.js'
import {listProcesses} from '../../../src/sandbox/processes.js'
import {type Guest, IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {anchorOf, stopped} from '../../support/running-session.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {waitUntil} from '../../support/wait-until.js'

/** timer_create, timer_settime and renameat2 where a pointer has 64 bits. @see Linux syscall.tbl, asm-generic/unistd.h */
const CALLS: Readonly<Partial<Record<DebArchitecture, readonly number[]>>> = {
  amd64: [222, 223, 316],
  arm64: [107, 110, 276],
  riscv64: [107, 110, 276],
  loong64: [107, 110, 276],
}
const calls = CALLS[openHost().architecture]

/**
 * Stops itself; timers of its own send it CONT, also while it is stopped from outside. Each time it puts a link to a folder of
 * the host in the place of one of its own with files of the same names, and the other way round again.
 */
const SWAPPER = `
  my ($create, $settime, $rename, $target) = @ARGV;
  chdir "/root" or die;
  mkdir "bait" or die;
  for (0 .. 299) { open(my $file, ">", "bait/$_") or die; print $file "own" }
  symlink $target, "link" or die;
  my $event = pack("x8 i2 x48", 18, 0);
  my @timers = map {
    my $timer = pack("i", 0);
    syscall($create + 0, 1, $event, $timer) == 0 or die "timer_create: $!";
    unpack("i", $timer);
  } 1 .. 20;
  # A timer whose signal a STOP has taken away does not come again by itself.
  my $set = sub {
    for my $index (0 .. $#timers) {
      my $once = pack("q4", 0, 0, 0, 2e6 + 2e7 * $index);
      syscall($settime + 0, $timers[$index], 0, $once, 0) == 0 or die "timer_settime: $!";
    }
  };
  $SIG{CONT} = sub {};
  my ($link, $bait) = ("link", "bait");
  my $exchange = sub { syscall($rename + 0, -100, $link, -100, $bait, 2) == 0 or die "renameat2: $!" };
  syswrite STDOUT, "begun\\n";
  for (;;) {
    $set->();
    kill STOP => $$;
    $exchange->();
    for my $spin (1 .. 20000) {}
    $exchange->();
  }
`

for (const {identity, skip} of IDENTITIES) {
  test(`${identity}: a guest that wakes itself and swaps a folder for a link gets nothing of the host's into a snapshot`, {
    skip: skip || (calls === undefined && 'the numbers of its system calls are not known here'),
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    const outside = join(guest.cli.home, 'outside')
    await mkdir(outside)
    for (let index = 0; index < 300; index++)
      await writeFile(join(outside, String(index)), 'belongs to the host alone')
    const words = [SWAPPER, ...(calls ?? []).map(String), outside]
    await guest.run('sh', '-c', 'perl -e "$@" >/tmp/log 2>&1 &', 'sh', ...words)
    await waitUntil('it to begin', async () => (await guest.sh('cat /tmp/log')).stdout === 'begun\n')
    const cp = await wakingCopy(guest, {pid: 1, times: 0})
    const statuses: unknown[] = []
    for (let turn = 0; turn < 5; turn++) {
      statuses.push((await guest.cli.runWith({env: cp.env}, 'snapshot', 'play', `turn-${turn}`)).status)
      assert.deepEqual(await layersWith(guest, 'belongs to the host alone'), [])
    }
    assert.ok(
      statuses.every((status) => status === 0 || status === 4),
      String(statuses),
    )
    const kept = statuses.filter((status) => status === 0).length
    // Nothing is copied where it never stood still.
    assert.ok(kept < statuses.length || (await cp.tries()) > kept, 'it ran beside none of the copies')
    assert.equal((await guest.sh('cat /tmp/log')).stdout, 'begun\n')
  })

  const shared = sharedGuest(identity)

  test(`${identity}: a copy beside which somebody ran is made again`, {skip}, async () => {
    const {guest, pid} = await sleeping(await stopped(shared))
    const cp = await wakingCopy(guest, {pid, times: 1})
    const made = await guest.cli.runWith({env: cp.env}, 'snapshot', 'play', 'again')
    assert.equal(made.status, 0, made.stderr)
    assert.equal(await cp.tries(), 2)
    assert.equal(stateOf(pid), 'S')
    assert.equal((await guest.sh('echo changed >/root/kept')).status, 0)
    assert.equal((await guest.cli.run('restore', 'play', 'again', '--force')).status, 0)
    assert.equal((await guest.sh('cat /root/kept')).stdout, 'kept\n')
  })

  for (const [what, ...argv] of [
    ['snapshot', 'snapshot', 'play', 'never'],
    ['clone', 'clone', 'play', 'never'],
  ] as const) {
    test(`${identity}: a ${what} beside which somebody runs each time is given up, and all go on`, {
      skip,
    }, async () => {
      const {guest, pid} = await sleeping(await stopped(shared))
      const layers = () => readdir(join(guest.cli.data, 'layers'))
      const before = await layers()
      const cp = await wakingCopy(guest, {pid, times: 9})
      const made = await guest.cli.runWith({env: cp.env}, ...argv)
      assert.deepEqual(
        [made.status, /Could not freeze all processes in "[^"]+": sleep 4401/.test(made.stderr)],
        [4, true],
        made.stderr,
      )
      assert.equal(await cp.tries(), 3)
      assert.equal(stateOf(pid), 'S')
      assert.deepEqual(await layers(), before)
    })
  }
}

async function layersWith({cli}: Guest, text: string): Promise<string[]> {
  const {stdout} = await capture(['grep', '-rlF', text, join(cli.data, 'layers')])
  return stdout.split('\n').filter(Boolean)
}

/** A guest with one process, and a file that it wrote. */
async function sleeping(guest: Guest): Promise<{guest: Guest; pid: number}> {
  await guest.sh('echo kept >/root/kept; sleep 4401 >/dev/null 2>&1 &')
  const pid = await waitUntil(
    'it to sleep',
    () => listProcesses(anchorOf(guest)).find(({command}) => command === 'sleep 4401')?.hostPid,
  )
  return {guest, pid}
}

/** A cp(1) that lets a process of the guest run before it copies, and stops it again. */
async function wakingCopy({cli}: Guest, {pid, times}: {pid: number; times: number}) {
  const folder = join(cli.home, 'waking')
  const log = join(folder, 'tries')
  await rm(folder, {recursive: true, force: true})
  await mkdir(folder)
  await writeFile(log, '')
  const script = `#!/bin/sh
is() { until grep -q "^State:.$1" /proc/${pid}/status; do :; done; }
echo tried >>${log}
if [ "$(wc -l <${log})" -le ${times} ]; then kill -CONT ${pid}; is S; kill -STOP ${pid}; is T; fi
PATH=\${PATH#*:}
exec cp "$@"
`
  await writeFile(join(folder, 'cp'), script)
  await chmod(join(folder, 'cp'), 0o755)
  return {
    env: {PATH: `${folder}:${cli.env['PATH']}`},
    tries: async () => (await readFile(log, 'utf8')).split('\n').length - 1,
  }
}

/** S for what goes on, for it may just run. @see proc_pid_status(5) State */
function stateOf(pid: number): string | undefined {
  const state = /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return state === 'R' ? 'S' : state
}
