import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {capture} from '../../src/host/process.js'
import type {EnvironmentCli} from './environment-cli.js'
import {type StoreState, storeState} from './store-state.js'

/** A command that is run again and again, each time in the store as it is now. */
export type RepeatedCommand = {
  readonly argv: readonly string[]
  /** The exit status when it is run again though it was done; undefined where it would do something more. */
  readonly again?: number
  /** A file that it makes in the home folder, and what was there before. */
  readonly output?: {readonly name: string; readonly before: string | undefined}
  /** Whether it finds nothing in the cache, where it notes what this host can do. */
  readonly isFirst?: boolean
}

/** The store, and what the command writes beside it. */
export type CommandState = StoreState & {readonly output: string | undefined}

type Repetition = {
  /** Puts everything back to how it was at the beginning. */
  reset(): Promise<void>
  look(): Promise<CommandState>
  /** Removes the copy that {@link Repetition.reset} is made from. */
  end(): Promise<void>
}

/** Keeps a copy of the store for the runs of a command, and runs it once: it may note in the cache what the next run finds. */
export async function repetition(cli: EnvironmentCli, command: RepeatedCommand): Promise<Repetition> {
  const template = join(cli.home, 'template')
  await mkdir(cli.data, {recursive: true})
  await copyStore(cli.data, template)
  const place = placeOf(cli, command)
  const reset = async () => {
    await openFolders(cli.data)
    await rm(cli.data, {recursive: true, force: true})
    if (command.isFirst === true) await rm(join(cli.home, 'cache'), {recursive: true, force: true})
    await copyStore(template, cli.data)
    await place.reset()
  }
  await place.reset()
  assert.deepEqual((await place.look()).leftovers, [])
  const first = await cli.run(...command.argv)
  assert.equal(first.status, 0, first.stderr)
  await reset()
  return {reset, look: place.look, end: () => rm(template, {recursive: true})}
}

function placeOf({home, data}: EnvironmentCli, {output}: RepeatedCommand) {
  const path = output === undefined ? undefined : join(home, output.name)
  return {
    reset: async () => {
      if (path === undefined) return
      await rm(path, {force: true})
      if (output?.before !== undefined) await writeFile(path, output.before)
    },
    look: async (): Promise<CommandState> => {
      const {leftovers, ...store} = storeState(data)
      const beside = output === undefined ? [] : await readdir(home)
      return {
        ...store,
        leftovers: [
          ...leftovers,
          ...beside.filter((name) => name !== output?.name && name.startsWith(`${output?.name}`)),
        ],
        output: path !== undefined && existsSync(path) ? await readFile(path, 'base64') : undefined,
      }
    },
  }
}

async function copyStore(from: string, to: string): Promise<void> {
  await openFolders(from)
  const {status, stderr} = await capture(['cp', '-a', '--reflink=auto', '--', from, to])
  assert.equal(status, 0, stderr)
}

/** overlayfs closes folders of its own, which then can be copied by nobody. */
async function openFolders(folder: string): Promise<void> {
  await capture(['find', folder, '-type', 'd', '!', '-perm', '-700', '-exec', 'chmod', 'u+rwx', '{}', ';'])
}
