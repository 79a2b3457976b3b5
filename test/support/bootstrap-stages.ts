import {existsSync} from 'node:fs'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {type Archive, pathWith} from './archive.js'
import {sha256Of} from './archive-pocket.js'
import type {SandboxedCli} from './cli.js'

/**
 * A point of the making of an image; `reach` is called before the command is started, and resolves when it is there. It looks
 * no more once the signal says so.
 */
export type BootstrapStage = {
  readonly name: string
  reach(archive: Archive, cli: SandboxedCli, signal: AbortSignal): Promise<void>
}

export const BOOTSTRAP_STAGES: readonly BootstrapStage[] = [
  {name: 'release', reach: (archive) => asked(archive, pathWith(archive, 'noble-updates/InRelease'))},
  {name: 'indices', reach: (archive) => asked(archive, indexPath(archive))},
  {name: 'first packages', reach: (archive) => asked(archive, pathWith(archive, '/perl-base_'))},
  {name: 'last packages', reach: (archive) => asked(archive, pathWith(archive, '/unmerged_'))},
  {
    name: 'unpack',
    reach: (_, ...run) => inFolder(...run, (folder) => existsSync(join(folder, 'tree/usr/lib'))),
  },
  {
    name: 'configure',
    reach: (_, ...run) => inFolder(...run, (folder) => existsSync(join(`${folder}-work`, 'log'))),
  },
  {
    name: 'pack',
    reach: (_, ...run) => inFolder(...run, (folder) => existsSync(join(`${folder}-work`, 'archive'))),
  },
]

/** Resolves when a file is asked for, which is not answered then. */
function asked(archive: Archive, path: string): Promise<void> {
  return new Promise((resolve) => archive.answerNext(path, () => resolve()))
}

function indexPath(archive: Archive): string {
  const body = archive.files.get(
    pathWith(archive, `${archive.folderOf('release')}/main/binary-`).replace(/gz$/, 'xz'),
  )
  return pathWith(archive, sha256Of(body ?? Buffer.alloc(0)))
}

/** Looks at folders that were not there before: what a killed run has left is swept, but not at once. */
async function inFolder(
  {data}: SandboxedCli,
  signal: AbortSignal,
  isReached: (folder: string) => boolean,
): Promise<void> {
  const layers = join(data, 'layers')
  const partial = async () => {
    const names = await readdir(layers).catch(() => [])
    return names.filter((name) => name.startsWith('.partial.') && !name.endsWith('-work'))
  }
  const before = await partial()
  while (!signal.aborted) {
    const own = (await partial()).filter((name) => !before.includes(name))
    if (own.some((name) => isReached(join(layers, name)))) return
    await sleep(10)
  }
}
