import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {probeMapped} from '../../src/host/id-mapping.js'
import {type Captured, capture} from '../../src/host/process.js'
import {FRONT_DOOR, type SandboxedCli, type Scope, sandboxedCli} from './cli.js'

export type EnvironmentCli = SandboxedCli & {
  /** The folder of the store: one entry an environment, and what killed commands left. */
  readonly store: string
  /** All that is in {@link EnvironmentCli.store}, hidden entries included, sorted. */
  storeEntries(): Promise<string[]>
  /** Where the files of an environment lie that was made by {@link plainCli}. */
  root(name: string): string
  /** Runs it behind the words of another program, such as setpriv and its options. */
  runBehind(prefix: readonly string[], ...argv: string[]): Promise<Captured>
}

/**
 * A CLI whose environments, running or damaged or half made, are gone before its home folder goes.
 *
 * @param options.program - Started in place of it.
 */
export async function environmentCli(
  t: Scope,
  variables: Readonly<Record<string, string>> = {},
  {program = FRONT_DOOR}: {program?: string} = {},
): Promise<EnvironmentCli> {
  let made: EnvironmentCli | undefined
  // Hooks run in the order they are given, and that of the home folder could not remove another owner's files.
  t.after(async () => {
    if (made !== undefined) await removeAll(made)
  })
  const cli = await sandboxedCli(t, [], variables, {words: [program]})
  const store = join(cli.data, 'environments')
  made = {
    ...cli,
    store,
    storeEntries: async () => (await readdir(store).catch(() => [])).sort(),
    root: (name) => join(store, name, 'rootfs'),
    runBehind: (prefix, ...argv) =>
      capture([...prefix, program, ...argv], {
        cwd: cli.home,
        env: {...cli.env},
        timeout: 60_000,
      }),
  }
  return made
}

/** One whose environments are whole trees, for tests that look into them from the host. */
export function plainCli(t: TestContext): Promise<EnvironmentCli> {
  return environmentCli(t, PLAIN)
}

/** Has environments made as whole trees. */
export const PLAIN = {ENVS_STORAGE: 'directory'} as const

async function removeAll(cli: EnvironmentCli): Promise<void> {
  const names = (await cli.storeEntries()).filter((name) => !name.startsWith('.'))
  for (const name of names) await cli.run('rm', '--force', '--now', '--', name)
  const layers = await readdir(join(cli.data, 'layers')).catch(() => [])
  const stored = await readdir(join(cli.data, 'image-layers')).catch(() => [])
  const left = [
    ...(await cli.storeEntries()).map((name) => join(cli.store, name)),
    // An image's, which stays for the next environment.
    ...layers.map((name) => join(cli.data, 'layers', name)),
    ...stored.map((name) => join(cli.data, 'image-layers', name)),
  ]
  if (left.length === 0) return
  // Folders alone: files of an image's layer are those of other tests too.
  await capture(['find', ...left, '-type', 'd', '-exec', 'chmod', 'u+rwx', '{}', '+'])
  const asOwner =
    (await whyNotMapped()) === undefined ? ['unshare', '--map-auto', '--map-root-user', '--'] : []
  await capture([...asOwner, 'rm', '-rf', ...left], {timeout: 30_000})
}

/** Why environments of this user can't have owners of their own; undefined where they can. */
export async function whyNotMapped(): Promise<string | undefined> {
  const probe = await probeMapped(openHost())
  return probe.works ? undefined : `no mapped identity here: ${probe.reason}`
}
