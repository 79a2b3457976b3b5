import {diffEnvironment} from '../environments/diff.js'
import {captureInEnvironment} from '../environments/session/capture.js'
import type {Host} from '../host/host.js'
import {type EnvironmentName, findEnvironment} from '../store/environments.js'
import {notDescribedError} from './errors.js'

/** The facts of an environment that an envs.toml states. */
export type EnvironmentFacts = {
  readonly table: string
  readonly image: string
  /** Installed by hand, and not a part of the image. */
  readonly packages: readonly string[]
  readonly users: readonly {readonly name: string; readonly uid: number}[]
  /** Paths of files that the above does not explain. */
  readonly changed: readonly string[]
}

/** The first number of an ordinary user. @see /etc/login.defs, UID_MIN */
const FIRST_UID = 1000
/** The last one; above it are those of systemd and nobody. */
const LAST_UID = 59_999

/** Looks into an environment, starting it if it is stopped. The texts are the guest's. @throws {@link notDescribedError} */
export async function describeEnvironment(
  host: Host,
  text: string,
  {signal}: {readonly signal: AbortSignal},
): Promise<EnvironmentFacts> {
  const {name, record} = await findEnvironment(host.paths, text)
  const {name: imageName, source} = record.image
  const difference = await diffEnvironment(host, name, {kind: 'image'}, {listsAll: false, signal})
  const {status, stdout, stderr} = await captureInEnvironment(host, name, ['apt-mark', 'showmanual'])
  if (status !== 0) throw notDescribedError({name, reason: stderr.trim().split('\n').at(-1) ?? ''})
  const manual = new Set(stdout.split('\n'))
  const added = (difference.packages?.added ?? []).map((each) => each.name).filter((each) => manual.has(each))
  return {
    table: 'dev',
    image: imageName ?? source,
    packages: [...new Set(added)].sort(),
    users: await ordinaryUsers(host, name),
    changed: [...difference.conffiles, ...difference.files].map(({path}) => path).sort(),
  }
}

async function ordinaryUsers(host: Host, name: EnvironmentName): Promise<EnvironmentFacts['users']> {
  const {stdout} = await captureInEnvironment(host, name, ['cat', '/etc/passwd'])
  return stdout.split('\n').flatMap((line) => {
    const [user = '', , number = ''] = line.split(':')
    const uid = Number(number)
    return /^[a-z_][a-z0-9_-]{0,31}$/.test(user) && uid >= FIRST_UID && uid <= LAST_UID
      ? [{name: user, uid}]
      : []
  })
}
