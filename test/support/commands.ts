import {readdir} from 'node:fs/promises'
import {relative} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {EnvsCommand} from '../../src/cli/command.js'

const FOLDER = fileURLToPath(new URL('../../commands', import.meta.url))

/** Every command as its source declares it, by its words. */
export async function declaredCommands(): Promise<ReadonlyMap<string, typeof EnvsCommand>> {
  const entries = await readdir(FOLDER, {recursive: true, withFileTypes: true})
  const commands = new Map<string, typeof EnvsCommand>()
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = `${entry.parentPath}/${entry.name}`
    const name = relative(FOLDER, path).replace(/\.ts$/, '')
    // Written so that a bundler finds the files too.
    const module: {readonly default: typeof EnvsCommand} = await import(`../../commands/${name}.ts`)
    commands.set(name.replaceAll('/', ' '), module.default)
  }
  return commands
}
