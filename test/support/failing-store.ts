import assert from 'node:assert/strict'
import {isDeepStrictEqual} from 'node:util'
import type {EnvironmentCli} from './environment-cli.js'
import {
  type Call,
  callsOf,
  describeFailedCall,
  ERRNOS,
  type FailedCall,
  GROUPS,
  runFailing,
} from './failing-calls.js'
import {type CommandState, type RepeatedCommand, repetition} from './repeated-command.js'
import {describeTree} from './store-outcome.js'
import {makeOld} from './store-state.js'

type FailingCommand = RepeatedCommand & {
  /** A number of its own, from 0 on: each command goes on with kinds and errnos where the one before has ended. */
  readonly turn: number
  /** Calls that fail in each run of the test, as {@link describeFailedCall} has them: they have shown defects. */
  readonly always?: readonly string[]
}

/** The copy that each run begins with, and what V8 compiled. */
const NOT_LOOKED_AT: ReadonlySet<string> = new Set(['template', 'code'])

/** How many calls fail, unless ENVS_TEST_STEPS=all has each of them fail with each errno. */
const MOST = 6
/** A prime number that no number of calls or errnos is a multiple of. */
const STRIDE = 1009
const STEPS = process.env['ENVS_TEST_STEPS']
/** `groups`: each of them with one errno of each group, and the next one at the next call. */
const ARE_GROUPED = STEPS === 'groups'
const ARE_ALL = STEPS === 'all' || ARE_GROUPED
/** `2/7`: the second of seven parts of all, for several machines. */
const [PART = 1, PARTS = 1] = (process.env['ENVS_TEST_PART'] ?? '1/1').split('/').map(Number)

/** A disk may lose what a sync did not write. Times of use and sizes are not needed. */
const MUST_SYNC = /\tfsync\t\/data\/(?!.*(usage\.json|last-used))/

/** A limit is reached, or a program of the host fails; the storage failed. */
const EXPECTED_STATUSES: readonly (number | null)[] = [7, 8]

/** The user is told that some files could not be removed: until the next command, the check finds them too. */
const TOLD_LEFTOVER = 'ENVS_REMOVAL_INCOMPLETE'

/** With these, a file system refuses a name or a file of an archive, which is told so. */
const REFUSED_MEMBER: ReadonlySet<string> = new Set(['ENAMETOOLONG', 'EMLINK', 'EFBIG'])
const REFUSED_MEMBER_STATUS = 6

/**
 * Has one call after another of a command fail, each time in the store as it is now. After each, the command has ended with an error
 * of envs' own, or has done all its work; no environment is half changed; `envs doctor --check` finds nothing; and the same
 * command works.
 */
export async function failAtCalls(cli: EnvironmentCli, command: FailingCommand): Promise<void> {
  const {reset, look, end} = await repetition(cli, command)
  const before = await look()
  // What the host can do is noted apart for a process that may get no new privileges.
  await callsOf(cli, [...command.argv, '--json'])
  await reset()
  const clean = await callsOf(cli, [...command.argv, '--json'])
  assert.equal(clean.status, 0, clean.stderr)
  const after = await look()
  assert.deepEqual(after.leftovers, [])
  const failures: string[] = []
  const chosen = chooseFailures(clean.calls, command)
  const verify = verifyOnce(cli, command, {after, look})
  let hits = 0
  for (const call of chosen) {
    await reset()
    try {
      const wasHit = await failOnce(cli, command, {call, before, after, look, verify})
      if (!wasHit && ARE_ALL) process.stderr.write(`missed ${describeFailedCall(call)}\n`)
      hits += wasHit ? 1 : 0
    } catch (error) {
      failures.push(`${describeFailedCall(call)}: ${error instanceof Error ? error.message : String(error)}`)
      if (ARE_ALL) process.stderr.write(`${failures.at(-1)}\n`)
    }
  }
  await end()
  assert.ok(hits >= chosen.length / 2, `${hits} of ${chosen.length} calls failed`)
  assert.equal(failures.length, 0, `${failures.length} of ${chosen.length}:\n${failures.join('\n')}`)
}

/** All, or a few: of each kind of call in turn, from all over the command, with another errno each time. */
function chooseFailures(calls: readonly Call[], {turn, always = []}: FailingCommand): FailedCall[] {
  const kinds = [...new Set(calls.map(({kind}) => kind))]
  const all = kinds.map((kind) =>
    calls
      .filter((call) => call.kind === kind)
      .flatMap((call) => ERRNOS[kind].map((errno) => ({...call, errno}))),
  )
  if (ARE_ALL)
    return calls.flatMap((call, index) => (index % PARTS === PART - 1 ? failuresOf(call, index) : []))
  const known = always.map((text) => {
    const found = all.flat().find((call) => describeFailedCall(call) === text)
    assert.ok(found, `the command makes no such call: ${text}`)
    return found
  })
  const few = Array.from({length: MOST}, (_, index) => {
    const number = turn * MOST + index
    const pairs = all[number % all.length] ?? []
    // Far enough for another call, and for another errno.
    return pairs[(Math.floor(number / all.length) * STRIDE) % pairs.length]
  })
  return [...known, ...few.filter((each) => each !== undefined)]
}

function failuresOf(call: Call, index: number): FailedCall[] {
  const errnos = ERRNOS[call.kind]
  const chosen = ARE_GROUPED
    ? GROUPS.flatMap((group) => {
        const members = errnos.filter((errno) => group.includes(errno))
        return members[index % members.length] ?? []
      })
    : errnos
  return chosen.map((errno) => ({...call, errno}))
}

type Around = {
  readonly call: FailedCall
  readonly before: CommandState
  readonly after: CommandState
  readonly look: () => Promise<CommandState>
  readonly verify: (end: Outcome) => Promise<void>
}

/** How a failed command ended: what the next commands depend on, beside what it left. */
type Outcome = {
  readonly status: number | null
  readonly code: string | undefined
  /** Whether all its work is there. */
  readonly isDone: boolean
}

async function failOnce(
  cli: EnvironmentCli,
  command: RepeatedCommand,
  {call, before, after, look, verify}: Around,
): Promise<boolean> {
  const {status, stdout, stderr, wasHit} = await runFailing(cli, [...command.argv, '--json'], call)
  const {leftovers: _found, ...found} = await look()
  const [{leftovers: _before, ...unchanged}, {leftovers: _after, ...wanted}] = [before, after]
  const isDone = isDeepStrictEqual(found, wanted)
  // On a full disk, the work is done again without the reserve.
  const isFull = call.errno === 'ENOSPC' || call.errno === 'EDQUOT'
  if (wasHit && !isFull && MUST_SYNC.test(call.line))
    assert.notEqual(status, 0, 'the failed sync was ignored')
  if (status === 0) assert.deepEqual(found, wanted, `status 0, but something is missing: ${stderr}`)
  else {
    const isOfArchive = call.line.startsWith('node rootfs-worker.cjs') && REFUSED_MEMBER.has(call.errno)
    assert.ok(
      EXPECTED_STATUSES.includes(status) || (isOfArchive && status === REFUSED_MEMBER_STATUS),
      `status ${status}: ${stdout}${stderr}`,
    )
    if (!isDone) assert.deepEqual(found, unchanged, `half done: ${stdout}`)
  }
  const code = status === 0 ? undefined : JSON.parse(stdout).error.code
  await verify({status, code, isDone})
  return wasHit
}

/**
 * Returns what proves that the store which a failed command left is sound, and that the same command works in it. Most errnos of a call,
 * and many calls, leave the same: the commands that look at it run once for each such end, and its answer holds for all.
 */
function verifyOnce(
  cli: EnvironmentCli,
  command: RepeatedCommand,
  {after: {leftovers: _, ...wanted}, look}: Pick<Around, 'after' | 'look'>,
): Around['verify'] {
  const verified = new Map<string, Promise<void>>()
  const verify = async ({status, code, isDone}: Outcome) => {
    const {problems} = JSON.parse((await cli.run('doctor', '--check', '--json')).stdout)
    const others = problems.filter(({kind}: {kind: string}) => code !== TOLD_LEFTOVER || kind !== 'leftover')
    assert.deepEqual(others, [], `the check finds more after ${status}, ${code}`)

    makeOld(cli.data)
    if (!isDone || command.again !== undefined) {
      const run = await cli.run(...command.argv)
      assert.equal(run.status, isDone ? command.again : 0, `again: ${run.stderr}`)
    }
    if (isDone) {
      const run = await cli.run('prune', '--yes', '--older-than', '52w')
      assert.equal(run.status, 0, `prune: ${run.stderr}`)
    }
    assert.deepEqual(await look(), {...wanted, leftovers: []})
  }
  return async (end) => {
    const key = JSON.stringify([end, describeTree(cli.home, NOT_LOOKED_AT)])
    const known = verified.get(key) ?? verify(end)
    verified.set(key, known)
    await known
  }
}
