import {mkdir, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {SessionWish} from '../features/feature.js'
import {templateText} from '../host/paths.js'
import {readKeyring} from '../images/signature/keyring.js'
import {wrongKeyError} from './errors.js'
import type {SourceTable} from './file/schema.js'
import {readInputs} from './inputs.js'
import type {LayerWork, NumberedUser} from './layers.js'

/** The part of a session that does the work of a layer; the rest is the same for all. */
export type WorkSession = Pick<
  SessionWish,
  'command' | 'user' | 'workingFolder' | 'variables' | 'volumes' | 'network'
>

export type WorkPlace = {
  /** The folder of the project. */
  readonly root: string
  /** A folder of envs' own, for what the session sees of the project. */
  readonly inputs: string
  /** A folder that outlives the environment, for `cache`. */
  readonly caches: string
  /** Seconds since 1970: SOURCE_DATE_EPOCH of the session, and the time of the files that it sees. */
  readonly epoch: number
}

/** Where a session that sets users and files up sees them. In /run, which no digest and no image has. */
const SETUP_FOLDER = '/run/envs-project'

/** Prepares what the session of a layer sees, and returns the session. @throws As `readInputs`. */
export async function prepareWork(work: LayerWork, place: WorkPlace): Promise<WorkSession> {
  await rm(place.inputs, {recursive: true, force: true})
  await mkdir(place.inputs, {mode: 0o755})
  switch (work.kind) {
    case 'packages':
      return installPackages(work, place)
    case 'setup':
      return setUp(work, place)
    case 'step':
      return runStep(work, place)
  }
}

const COMMON = {user: undefined, workingFolder: '/'} as const

async function installPackages(
  {packages, recommends, sources}: LayerWork & {kind: 'packages'},
  {root, inputs, epoch}: WorkPlace,
): Promise<WorkSession> {
  for (const [index, source] of sources.entries()) {
    const folder = join(inputs, `source-${index}`)
    await mkdir(folder)
    readInputs(root, [source.key], {folder, epoch})
    const file = source.key.split('/').at(-1) ?? ''
    if (source.fingerprint !== undefined) await requireKey(join(folder, file), source)
    const key = `/etc/apt/keyrings/envs-project-${index}.${file.endsWith('.gpg') ? 'gpg' : 'asc'}`
    const {uri, suite, components, pin} = source
    const text = [
      'Types: deb',
      `URIs: ${uri}`,
      `Suites: ${suite}`,
      `Components: ${components.join(' ')}`,
      `Signed-By: ${key}`,
    ]
    await writeFile(join(inputs, `source-${index}.sources`), `${text.join('\n')}\n`)
    await writeFile(join(inputs, `source-${index}.key`), `${file}\n${key}\n`)
    if (pin !== undefined) {
      const preference = ['Package: *', `Pin: origin ${new URL(uri).hostname}`, `Pin-Priority: ${pin}`]
      await writeFile(join(inputs, `source-${index}.pref`), `${preference.join('\n')}\n`)
    }
  }
  const script = await templateText('guest/project-packages.sh')
  return {
    ...COMMON,
    command: ['/bin/sh', '-c', script, 'envs', SETUP_FOLDER, recommends ? 'yes' : 'no', ...packages],
    variables: ['DEBIAN_FRONTEND=noninteractive', ...epochVariable(epoch)],
    volumes: [`${inputs}:${SETUP_FOLDER}:ro`],
  }
}

/** @throws {@link wrongKeyError} Where the file has another key than the one that envs.toml names. */
async function requireKey(copy: string, {key, fingerprint = ''}: SourceTable): Promise<void> {
  const found = (await readKeyring(copy)).map((each) => each.fingerprint)
  if (found.length === 0 || found.some((each) => each !== fingerprint))
    throw wrongKeyError({path: key, fingerprint, found: found.join(', ') || 'none'})
}

async function setUp(
  {users, files}: LayerWork & {kind: 'setup'},
  {root, inputs, epoch}: WorkPlace,
): Promise<WorkSession> {
  const lines = users.map(userLine)
  for (const [index, {from, text, to, mode, owner}] of files.entries()) {
    const folder = join(inputs, `file-${index}`)
    await mkdir(folder)
    if (from !== undefined) readInputs(root, [from], {folder, epoch})
    else await writeFile(join(folder, 'text'), text ?? '')
    lines.push(['file', `${SETUP_FOLDER}/file-${index}`, to, mode ?? '', owner].map(quoted).join(' '))
  }
  await writeFile(join(inputs, 'lines'), `${lines.join('\n')}\n`)
  const script = await templateText('guest/project-setup.sh')
  return {
    ...COMMON,
    command: ['/bin/sh', '-c', script, 'envs', SETUP_FOLDER],
    variables: epochVariable(epoch),
    volumes: [`${inputs}:${SETUP_FOLDER}:ro`],
    network: 'none',
  }
}

function userLine({name, uid, groups, shell}: NumberedUser): string {
  return ['user', name, uid === undefined ? '' : String(uid), shell, groups.join(',')].map(quoted).join(' ')
}

async function runStep(
  {step, env}: LayerWork & {kind: 'step'},
  {root, inputs, caches, epoch}: WorkPlace,
): Promise<WorkSession> {
  const {run, user, needs, at, network, cache} = step
  if (needs.length > 0) readInputs(root, needs, {folder: inputs, epoch})
  const kept = await Promise.all(
    cache.map(async (path) => {
      const folder = join(caches, path.replaceAll('%', '%25').replaceAll('/', '%'))
      await mkdir(folder, {recursive: true, mode: 0o700})
      return `${folder}:${path}`
    }),
  )
  return {
    command: ['/bin/sh', '-eu', '-c', run],
    user,
    workingFolder: needs.length > 0 ? at : '/',
    variables: [
      ...epochVariable(epoch),
      'DEBIAN_FRONTEND=noninteractive',
      'PYTHONDONTWRITEBYTECODE=1',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ],
    volumes: [...(needs.length > 0 ? [`${inputs}:${at}:ro`] : []), ...kept],
    ...(network ? {} : {network: 'none'}),
  }
}

function epochVariable(epoch: number): string[] {
  return [`SOURCE_DATE_EPOCH=${epoch}`]
}

/** Quotes a text as one word for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
