import assert from 'node:assert/strict'
import {isDeepStrictEqual} from 'node:util'
import type {EnvironmentCli} from './environment-cli.js'
import {assertHits, chooseKills, describeKill, type Kill, runKilled, stepsOf} from './killed-steps.js'
import {type CommandState, type RepeatedCommand, repetition} from './repeated-command.js'
import {makeOld, sealedLayers} from './store-state.js'

/** A command, in a store as it is now, that is to be killed at one step after another. */
export type KilledCommand = RepeatedCommand & {
  /** Environments of which some files may be as the command makes them, and others as they were. */
  readonly changes?: readonly string[]
  /** Whether it takes so long that a third of the steps must do. */
  readonly isSlow?: boolean
}

/**
 * Kills a command at one step after another, each time in the store as it is now. After each, every environment is
 * listed and whole, as it was or as the command makes it; the command can be run again; and then nothing is left over.
 *
 * With ENVS_TEST_STEPS=all it is every step, which takes minutes for one command.
 */
export async function killAtSteps(cli: EnvironmentCli, command: KilledCommand): Promise<void> {
  const {reset, look, end} = await repetition(cli, command)
  const before = await look()
  const clean = await stepsOf(cli, command.argv)
  assert.equal(clean.status, 0, clean.stderr)
  const after = await look()
  assert.deepEqual(after.leftovers, [])
  const kills = chooseKills(clean.steps, command)
  const failures: string[] = []
  let hits = 0
  for (const kill of kills) {
    await reset()
    try {
      hits += await killOnce(cli, command, {kill, before, after, look})
    } catch (error) {
      failures.push(`${describeKill(kill)}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  await end()
  assertHits(hits, kills)
  assert.equal(failures.length, 0, `${failures.length} of ${kills.length}:\n${failures.join('\n')}`)
}

type Around = {
  readonly kill: Kill
  readonly before: CommandState
  readonly after: CommandState
  readonly look: () => Promise<CommandState>
}

async function killOnce(
  cli: EnvironmentCli,
  command: KilledCommand,
  {kill, before, after, look}: Around,
): Promise<number> {
  const sealed = sealedLayers(cli.data)
  const wasKilled = await runKilled(cli, command.argv, kill)
  const {leftovers, ...found} = await look()
  assertWhole(found, {before, after, changes: command.changes ?? []})
  for (const [id, content] of sealedLayers(cli.data))
    assert.equal(content, sealed.get(id) ?? content, `layer ${id} has changed`)
  // Whoever lost only its worker is there to tidy up what it has not published, unless that was what the worker did.
  if (kill.program > 0 && kill.isAlone)
    assert.deepEqual(
      leftovers.filter((path) => !/^\w+\/\.removed\.|\/\.envs-/.test(path)),
      before.leftovers,
    )
  await assertListed(cli, Object.keys(found.environments))

  makeOld(cli.data)
  const {leftovers: _, ...wanted} = after
  const isDone = isDeepStrictEqual(found, wanted)
  if (!isDone || command.again !== undefined) {
    const run = await cli.run(...command.argv)
    assert.equal(run.status, isDone ? command.again : 0, run.stderr)
  }
  if (isDone) {
    const run = await cli.run('prune', '--yes', '--older-than', '52w')
    assert.equal(run.status, 0, run.stderr)
  }
  assert.deepEqual(await look(), {...wanted, leftovers: []})
  return wasKilled ? 1 : 0
}

function assertWhole(
  found: Omit<CommandState, 'leftovers'>,
  {before, after, changes}: {before: CommandState; after: CommandState; changes: readonly string[]},
): void {
  const states = [before, after]
  for (const [name, state] of Object.entries(found.environments))
    assert.ok(
      changes.includes(name) || states.some(({environments}) => environments[name] === state),
      `${name} is neither as it was nor as it is to be`,
    )
  for (const name of Object.keys(before.environments))
    assert.ok(
      name in found.environments ||
        name in found.removed ||
        !(name in {...after.environments, ...after.removed}),
      `${name} is gone`,
    )
  for (const [name, state] of Object.entries(found.removed))
    assert.ok(
      changes.includes(name) || states.some(({removed}) => removed[name] === state),
      `the removed ${name} is neither as it was nor as it is to be`,
    )
  for (const name of Object.keys(before.removed))
    assert.ok(
      name in found.removed || !(name in after.removed) || name in after.environments,
      `the removed ${name} is gone`,
    )
  for (const name of before.images)
    assert.ok(found.images.includes(name) || !after.images.includes(name), `image ${name} is gone`)
  assert.ok(
    states.some(({output}) => output === found.output),
    'the file is neither as it was nor as it is to be',
  )
}

async function assertListed(cli: EnvironmentCli, names: readonly string[]): Promise<void> {
  const run = await cli.run('list', '--json', '--all')
  assert.equal(run.status, 0, run.stdout)
  const listed: {name: string; state: string}[] = JSON.parse(run.stdout)
  assert.deepEqual(listed.map(({name}) => name).sort(), [...names].sort())
  assert.deepEqual(
    listed.filter(({state}) => state === 'damaged'),
    [],
  )
}
