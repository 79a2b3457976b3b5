import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import type {Identity} from '../sandbox/identity.js'
import type {ProjectEnvironment} from './environment.js'
import type {FileTable, SourceTable, StepTable, UserTable} from './file/schema.js'
import {readInputs} from './inputs.js'
import {type KeyInput, type LayerKey, layerKey} from './key.js'

/** One layer of an environment, above those before it. */
export type ProjectLayer = {
  readonly key: LayerKey
  /** For messages: `step 2: make install`. */
  readonly title: string
  readonly work: LayerWork
}

export type LayerWork =
  | {
      readonly kind: 'packages'
      readonly packages: readonly string[]
      readonly recommends: boolean
      readonly sources: readonly SourceTable[]
    }
  | {readonly kind: 'setup'; readonly users: readonly NumberedUser[]; readonly files: readonly FileTable[]}
  | {readonly kind: 'step'; readonly step: StepTable; readonly env: Readonly<Record<string, string>>}

export type NumberedUser = Omit<UserTable, 'uid'> & {readonly uid: number | undefined}

/** The image below all layers. */
export type ImageFacts = {
  readonly sha256: Sha256
  readonly identity: Identity
  /** Whether the image was made with the packages of the table. */
  readonly hasPackages: boolean
}

/** Returns the key of the image, which is that of an environment without any layer. */
export function imageKey(
  {architecture}: Pick<ProjectEnvironment, 'architecture'>,
  {sha256, identity}: ImageFacts,
): LayerKey {
  // Emulated loses the owners that a script of a package gives, so that its layers differ.
  return layerKey(undefined, 'image', {sha256, identity, architecture})
}

/**
 * Returns the layers of an environment, the lowest first, with their keys. Reads what they take of the project.
 *
 * @throws As `readInputs`.
 */
export function layersOf(
  environment: ProjectEnvironment,
  image: ImageFacts,
  {uid}: Pick<Host, 'uid'>,
): readonly ProjectLayer[] {
  const {wish, root} = environment
  const {packages = [], sources = [], users = [], files = [], steps = [], env = {}, recommends = false} = wish
  const layers: ProjectLayer[] = []
  let below = imageKey(environment, image)
  const add = (title: string, work: LayerWork, inputs: KeyInput) => {
    below = layerKey(below, work.kind, inputs)
    layers.push({key: below, title, work})
  }
  if (sources.length > 0 || (packages.length > 0 && !image.hasPackages)) {
    const sorted = [...packages].sort()
    const keys = sources.map((source) => ({...source, key: readInputs(root, [source.key])}))
    add(
      `packages ${sorted.join(', ')}`,
      {kind: 'packages', packages: sorted, recommends, sources},
      {
        packages: sorted,
        recommends,
        sources: keys,
      },
    )
  }
  if (users.length > 0 || files.length > 0) {
    const numbered = users.map((user) => numberOf(user, uid))
    const contents = files.map(({from, ...file}) => ({
      ...file,
      ...(from === undefined ? {} : {content: readInputs(root, [from])}),
    }))
    add('users and files', {kind: 'setup', users: numbered, files}, {users: numbered, files: contents})
  }
  for (const [index, step] of steps.entries()) {
    const {run, user, at, network, needs} = step
    const variables = {...env, ...step.env}
    add(
      `step ${index + 1}: ${firstLine(run)}`,
      {kind: 'step', step, env: variables},
      {
        ...{run, user, at, network, env: variables},
        needs: needs.length === 0 ? undefined : readInputs(root, needs),
      },
    )
  }
  return layers
}

function numberOf({uid, ...user}: UserTable, own: number): NumberedUser {
  return {...user, uid: uid === 'host' ? own : uid}
}

const MOST_CHARACTERS = 60

function firstLine(code: string): string {
  const [line = ''] = code.trim().split('\n')
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS - 1)}…` : line
}
