import {
  type Dirent,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import {join, relative} from 'node:path'
import {errnoOf} from '../../src/errors.js'
import {type History, parseHistory, writeHistory} from '../../src/store/history.js'
import {isLayerId, newLayerId} from '../../src/store/layers.js'
import {treeSnapshot} from './tree-snapshot.js'

/** What a store of emulated environments holds, without what differs from one run of the same commands to another. */
export type StoreState = {
  /** By name, what each is made of: files, snapshots, and what marks it. */
  readonly environments: Readonly<Record<string, string>>
  /** Those that were removed and can be recovered, by the name that they had. */
  readonly removed: Readonly<Record<string, string>>
  /** Names of images that are kept. */
  readonly images: readonly string[]
  /** Paths in the store of what is nobody's. */
  readonly leftovers: readonly string[]
}

/** What is noted beside an environment, and is none of its state. */
const NOTES: ReadonlySet<string> = new Set(['usage.json', 'last-used', 'run'])

/**
 * @param store - The folder of all that envs keeps.
 * @throws When an environment lacks a part of itself.
 */
export function storeState(store: string): StoreState {
  const names = namesIn(join(store, 'environments'))
  const named = new Set<string>()
  const environments: Record<string, string> = {}
  for (const name of names.filter((each) => !each.startsWith('.')))
    environments[name] = JSON.stringify(environmentState(store, name, named))
  const trash = names.filter((each) => each.startsWith('.trash.'))
  const removed = Object.fromEntries(
    trash.map((each) => [
      each.split('.').slice(4).join('.'),
      JSON.stringify(environmentState(store, each, named)),
    ]),
  )
  return {
    environments,
    removed,
    images: namesIn(join(store, 'images')).filter((each) => !each.startsWith('.')),
    leftovers: [
      ...names
        .filter((each) => each.startsWith('.') && !trash.includes(each))
        .map((each) => join('environments', each)),
      ...namesIn(join(store, 'layers'))
        .filter((each) => !named.has(each) && !existsSync(join(store, 'layers', each, 'layer.json')))
        .map((each) => join('layers', each)),
      ...namesIn(join(store, 'images'))
        .filter((each) => each.startsWith('.') && each !== '.locks')
        .map((each) => join('images', each)),
      ...namesIn(join(store, 'exports')).map((each) => join('exports', each)),
      ...halfWritten(store),
    ].sort(),
  }
}

function environmentState(store: string, name: string, named: Set<string>): unknown {
  const folder = join(store, 'environments', name)
  // Of one that has not such a name, the mark of a throwaway one means nothing.
  const notes = name.startsWith('try-') ? NOTES : new Set([...NOTES, 'try'])
  const {identity, storage, image} = JSON.parse(readFileSync(join(folder, 'env.json'), 'utf8'))
  const files = namesIn(folder).filter((each) => !notes.has(each) && !isHalfWritten(each))
  const facts = {identity, storage, sha256: image.sha256, files}
  if (storage === 'directory') return {...facts, tree: shapeOf(join(folder, 'rootfs'))}
  const path = join(folder, 'history.json')
  const {layers, upper, snapshots, after} = parseHistory(readFileSync(path, 'utf8'), path)
  const shapes = (ids: readonly string[]) =>
    ids.flatMap((id) => {
      named.add(id)
      const shape = shapeOf(join(store, 'layers', id, 'tree'))
      return shape.length === 0 ? [] : [shape]
    })
  return {
    ...facts,
    layers: shapes([...layers, upper]),
    snapshots: snapshots.map((each) => ({
      ...each,
      label: timeless(each.label),
      after: timeless(each.after),
      createdAt: undefined,
      layers: shapes(each.layers),
    })),
    after: timeless(after),
  }
}

/** Labels tell when they were made. */
function timeless(label: string | undefined): string | undefined {
  return label?.replace(/\d{8}-\d{6}(-\d+)?$/, 'TIME')
}

/** What is in a tree: kinds, modes, sizes and targets. */
function shapeOf(root: string): string[] {
  return readdirSync(root, {recursive: true, withFileTypes: true})
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const {mode, size} = lstatSync(path)
      const what = entry.isSymbolicLink() ? readlinkSync(path) : entry.isFile() ? size : ''
      return `${relative(root, path)} ${mode.toString(8)} ${what}`
    })
    .sort()
}

/** Every layer that changes no more, by its name; byte for byte. */
export function sealedLayers(store: string): ReadonlyMap<string, string> {
  const uppers = new Set<string>()
  for (const name of namesIn(join(store, 'environments'))) {
    const path = join(store, 'environments', name, 'history.json')
    if (existsSync(path)) uppers.add(parseHistory(readFileSync(path, 'utf8'), path).upper)
  }
  const trees = namesIn(join(store, 'layers'))
    .filter((each) => isLayerId(each) && !uppers.has(each))
    .map((id) => [id, join(store, 'layers', id, 'tree')] as const)
    .filter(([, tree]) => existsSync(tree))
  return new Map(trees.map(([id, tree]) => [id, treeSnapshot(tree).join('\n')]))
}

/** An hour passes: only that shows whose the half-written files are. Layers and trials need none, because locks show it. */
export function makeOld(store: string): void {
  const then = new Date(Date.now() - 3_600_000)
  for (const path of halfWritten(store)) unlessGone(() => lutimesSync(join(store, path), then, then))
}

/** Files whose writer was killed, in trees too. What a killed command has started may still remove some of those. */
function halfWritten(store: string, folder = ''): string[] {
  return entriesIn(join(store, folder)).flatMap((entry) => {
    const path = join(folder, entry.name)
    // The kernel's own, and closed.
    if (entry.isDirectory()) return entry.name === 'work' ? [] : halfWritten(store, path)
    return isHalfWritten(entry.name) ? [path] : []
  })
}

function entriesIn(folder: string): Dirent[] {
  return unlessGone(() => readdirSync(folder, {withFileTypes: true})) ?? []
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return undefined
  }
}

function isHalfWritten(name: string): boolean {
  return /\.partial-\d+-[0-9a-f]{8}$|^\.envs-/.test(name)
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

/** Writes a file in an environment of layers, as its guest would have. */
export function writeUpper(store: string, name: string, path: string, content: string): void {
  const {upper} = historyOf(store, name)
  writeFileSync(join(store, 'layers', upper, 'tree', path), content)
}

/** As many layers as can lie under an environment. */
const MOST_LAYERS = 24

/** Puts as many layers under an environment as can be, each as the start of a session would have made it. */
export async function deepen(store: string, name: string): Promise<void> {
  const {upper, layers, ...history} = historyOf(store, name)
  const made = [...layers, upper]
  for (let count = made.length; count <= MOST_LAYERS; count++) {
    const id = newLayerId('emulated')
    for (const part of ['tree', 'work']) mkdirSync(join(store, 'layers', id, part), {recursive: true})
    writeFileSync(join(store, 'layers', id, 'tree', `file-${count}`), 'x'.repeat(count))
    made.push(id)
  }
  const [base = upper, ...others] = made
  const snapshots = others.slice(0, -1).map((id, index): History['snapshots'][number] => ({
    label: `auto-${index}`,
    kind: 'automatic',
    createdAt: new Date(),
    layers: [base, ...others.slice(0, others.indexOf(id) + 1)],
  }))
  const top = others.pop() ?? upper
  await writeHistory(join(store, 'environments', name, 'history.json'), {
    ...history,
    layers: [base, ...others],
    upper: top,
    snapshots,
  })
}

export function historyOf(store: string, name: string): History {
  const path = join(store, 'environments', name, 'history.json')
  return parseHistory(readFileSync(path, 'utf8'), path)
}
