import assert from 'node:assert/strict'
import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readlinkSync} from 'node:fs'
import {mkdir, rm} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {lockHolders} from '../../../src/host/locks.js'
import {templatePath} from '../../../src/host/paths.js'
import {ended, pipeOf, start} from '../../../src/host/process.js'
import {anchorFiles, readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {freezeCommand} from '../../../src/sandbox/processes.js'
import {type Guest, IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {anchorOf, childrenOf, commandsIn, startSession, stopped} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** Leaves a process behind that holds nothing of ours open. */
const daemon = (command: string) => `${command} >/dev/null 2>&1 </dev/null &`

/** Where a process of the host stands; undefined for one that is gone, or somebody else's. */
function folderOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

function isNode(pid: number | undefined): boolean {
  return basename(readlinkSync(`/proc/${pid}/exe`)) === 'node'
}

/** All that a session prints; resolves when it has ended. */
async function textOf(session: ChildProcess): Promise<string> {
  let text = ''
  session.stdout?.on('data', (piece) => {
    text += String(piece)
  })
  await once(session, 'close')
  return text
}

/** Waits until the keeper has found so often that there is no session: it sleeps after each look. */
async function keeperLooks({state}: Guest, count: number): Promise<void> {
  const [keeper] = (await lockHolders(anchorFiles(state).liveness)).filter(({command}) =>
    command.includes('keeper.sh'),
  )
  assert.ok(keeper)
  const sleeps = new Set<number>()
  await waitUntil(`${count} looks`, () => {
    for (const looking of childrenOf(keeper.pid)) for (const pid of childrenOf(looking)) sleeps.add(pid)
    return sleeps.size >= count
  })
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  test(`${identity}: two sessions see each other's processes`, {skip}, async () => {
    const guest = await play()
    const session = await startSession(guest, 'echo ready; exec sleep 321')
    assert.match((await guest.sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout, /sleep 321 /)
    process.kill(session.pid, 'SIGTERM')
    assert.equal(await session.ended(), 143)
  })

  test(`${identity}: six sessions at once from cold share one set of processes`, {skip}, async () => {
    const guest = await stopped(play)
    const folder = join(guest.root, 'root/six')
    await rm(folder, {recursive: true, force: true})
    await mkdir(folder)
    const meet =
      'mktemp -q /root/six/XXXXXX >/dev/null; until [ "$(ls /root/six | wc -l)" = 6 ]; do sleep 0.05; done'
    const looks = await Promise.all(
      Array.from({length: 6}, () => guest.sh(`readlink /proc/self/ns/pid; ${meet}`)),
    )
    assert.deepEqual(
      looks.map(({status, stderr}) => [status, stderr]),
      looks.map(() => [0, '']),
    )
    assert.match(looks[0]?.stdout ?? '', /^pid:\[\d+\]\n$/)
    assert.equal(new Set(looks.map(({stdout}) => stdout)).size, 1)
  })

  test(`${identity}: a login with another run-time folder finds the same environment`, {skip}, async () => {
    const guest = await play()
    const other = join(guest.cli.home, 'other-run')
    await mkdir(other, {recursive: true, mode: 0o700})
    const session = await startSession(guest, 'readlink /proc/self/ns/pid; echo ready; exec sleep 600')
    const ran = await guest.runWith({env: {XDG_RUNTIME_DIR: other}}, 'readlink', '/proc/self/ns/pid')
    assert.equal(`${ran.stdout}ready\n`, session.output())
    process.kill(session.pid, 'SIGTERM')
    assert.equal(await session.ended(), 143)
  })

  test(`${identity}: an environment ends by itself after its last process`, {skip}, async () => {
    const guest = await play()
    await guest.run('true')
    await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
  })

  test(`${identity}: a session that meets it on its way out starts it anew`, {skip}, async () => {
    const guest = await stopped(play)
    // What the holder does first when it has decided to leave.
    await guest.sh(`echo leaving >/dev/.envs-leaving; ${daemon('sleep 60')}`)
    const {pid} = anchorOf(guest)
    const session = guest.start('run', 'play', 'echo', 'here')
    const output = textOf(session)
    await waitUntil('the session to meet it, and to go on by Node', () => isNode(session.pid))
    await guest.cli.run('stop', 'play')
    assert.deepEqual([await output, session.exitCode], ['here\n', 0])
    assert.notEqual(anchorOf(guest).pid, pid)
  })

  test(`${identity}: it stays for a silent session, and for what that leaves behind`, {skip}, async () => {
    const guest = await stopped(play)
    const session = await startSession(guest, `echo ready; sleep 4; ${daemon('exec sleep 450')} echo $!`)
    const {pid} = anchorOf(guest)
    assert.equal(await session.ended(), 0)
    // An environment with nothing in it ends at the second.
    await keeperLooks(guest, 3)
    assert.deepEqual(await commandsIn(guest), ['sleep 450'])
    assert.equal(anchorOf(guest).pid, pid)
    const [left] = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
    process.kill(left.hostPid, 'SIGKILL')
    await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
  })

  test(`${identity}: ps shows what a session left behind, with the pid the guest knows`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    const ran = await guest.sh(`${daemon('sleep 30')} echo $!`)
    const [found] = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
    const {hostPid, startedAt, ...rest} = found
    assert.deepEqual(rest, {
      ...{environment: 'play', pid: Number(ran.stdout), uid: 0, command: 'sleep 30'},
      program: null,
    })
    assert.ok(hostPid > 0)
    assert.ok(Math.abs(Date.parse(startedAt) - Date.now()) < 10_000, startedAt)
  })

  test(`${identity}: stop ends what runs, and the next session starts anew`, {skip}, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon('sleep 60'))
    const before = anchorOf(guest)
    const stop = await guest.cli.run('stop', 'play')
    assert.deepEqual(stop, {status: 0, signal: null, stdout: '', stderr: 'Stopped play.\n'})
    assert.equal(readLiveAnchor(guest.state), undefined)
    await guest.run('true')
    assert.notDeepEqual(anchorOf(guest), before)
  })

  test(`${identity}: stop lets a service end in its own way`, {skip}, async () => {
    const guest = await stopped(play)
    const service = `sh -c 'trap "echo bye >/root/bye; exit" TERM; : >/root/up; while :; do sleep 0.05; done'`
    await guest.sh(`${daemon(service)} while [ ! -e /root/up ]; do sleep 0.05; done`)
    await guest.cli.run('stop', 'play')
    assert.equal((await guest.run('cat', '/root/bye')).stdout, 'bye\n')
  })

  test(`${identity}: stop lets a shell at its prompt end in its own way`, {skip}, async () => {
    const guest = await stopped(play)
    const line = "trap 'touch /root/at-exit' EXIT; touch /root/at-prompt\r"
    const shell = onTerminal(guest, 'envs enter play', [{after: '~# ', send: line}])
    await waitUntil('a prompt', () => existsSync(join(guest.root, 'root/at-prompt')))
    await guest.cli.run('stop', 'play')
    await shell
    // Who is killed after the time of grace runs no trap.
    assert.ok(existsSync(join(guest.root, 'root/at-exit')))
  })

  test(`${identity}: stop ends a process that ignores it, after five seconds`, {skip}, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon(`sh -c 'trap "" TERM HUP; while :; do sleep 0.1; done'`))
    const begun = Date.now()
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    const tookMs = Date.now() - begun
    assert.ok(tookMs > 4500, `it took ${tookMs} ms`)
    assert.equal(readLiveAnchor(guest.state), undefined)
  })

  test(`${identity}: stop --force does not wait for it`, {skip}, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon(`sh -c 'trap ": >/root/asked" TERM HUP; while :; do sleep 0.1; done'`))
    assert.equal((await guest.cli.run('stop', '--force', 'play')).status, 0)
    assert.equal(existsSync(join(guest.root, 'root/asked')), false)
    assert.equal(readLiveAnchor(guest.state), undefined)
  })

  test(`${identity}: a running environment does not stand in the folder it was started from`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    const folder = join(guest.cli.home, 'started-from')
    await mkdir(folder, {recursive: true})
    await guest.onHost(`cd '${folder}'; envs run play -- sh -c '${daemon('sleep 60')}'`)
    anchorOf(guest)
    const standing = readdirSync('/proc').filter((pid) => folderOf(pid) === folder)
    assert.deepEqual(standing, [])
  })

  test(`${identity}: all go on where the caller of signal-all.pl is gone before it has heard that they stand`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon('sleep 60'))
    const sender = {
      launcher: ['perl', templatePath('host/signal-all.pl')],
      architecture: openHost().architecture,
    }
    const child = start(freezeCommand(sender, anchorOf(guest)), {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    pipeOf(child, 1).destroy()
    pipeOf(child, 0).end('stop\n')
    assert.equal((await ended(child)).status, 0)
    assert.doesNotMatch((await guest.sh('grep -h ^State: /proc/[0-9]*/status')).stdout, /stopped/)
  })

  for (const signal of ['TERM', 'HUP', 'INT']) {
    test(`${identity}: a root that sends ${signal} to everything keeps the environment`, {
      skip,
    }, async () => {
      const guest = await stopped(play)
      const session = await startSession(guest, 'echo ready; exec sleep 60')
      const {pid} = anchorOf(guest)
      const ran = await guest.sh(`kill -${signal} -1; sleep 0.3; echo alive`)
      assert.deepEqual([ran.status, ran.stdout], [0, 'alive\n'])
      assert.equal(await session.ended(), {TERM: 143, HUP: 129, INT: 130}[signal])
      assert.equal(anchorOf(guest).pid, pid)
    })
  }
}

test('mapped: ps shows the uid a process has inside, and stop ends it', {
  skip: IDENTITIES.find(({identity}) => identity === 'mapped')?.skip ?? false,
}, async (t) => {
  const guest = await ownGuest(t, 'mapped')
  await guest.runWith({flags: ['-u', 'games']}, 'sh', '-c', daemon('sleep 60'))
  const [found] = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
  assert.deepEqual([found.uid, found.command], [5, 'sleep 60'])
  await guest.cli.run('stop', 'play')
  assert.deepEqual(await commandsIn(guest), [])
})
