import {defineError, EnvsError, ExitCode} from '../errors.js'
import {findMapping, type KnowingHost, knownIdMapper} from '../host/cache.js'
import {
  accountName,
  findMappingObstacle,
  type MappingObstacle,
  mappingRemedy,
  OBSTACLE_EVIDENCE,
  readSubidFiles,
} from '../host/id-mapping.js'
import {ToolMissingError} from './errors.js'

/**
 * How the guest's root is made:
 * - `mapped`: a range of subordinate ids; every id of the guest is an id of its own.
 * - `emulated`: the user's own id alone; changes of owner or id appear to succeed.
 */
export type Identity = 'mapped' | 'emulated'

/**
 * Words to put before a program that is to see a tree with the owners the guest sees.
 *
 * @throws {IdentityUnavailableError} When this host has lost what `mapped` needs.
 */
export async function treePrefix(identity: Identity, host: KnowingHost): Promise<readonly string[]> {
  if (identity === 'emulated') return []
  const mapper = await knownIdMapper(host)
  if (mapper === undefined) throw await unavailable(await findMappingObstacle(host, mapper), host.uid)
  return mapper.prefix
}

/**
 * Words to put before a program that is to be root of a new user namespace of this identity.
 *
 * @throws As {@link treePrefix}, and {ToolMissingError}.
 */
export async function namespacePrefix(identity: Identity, host: KnowingHost): Promise<readonly string[]> {
  if (identity === 'mapped') return treePrefix(identity, host)
  const unshare = host.which('unshare')
  if (unshare === undefined) throw new ToolMissingError('unshare', 'util-linux')
  return [unshare, '--user', '--map-root-user', '--']
}

/**
 * The identity a new environment gets; a tree's owners on disk depend on it, so it is chosen once.
 *
 * @param setting - `auto` takes `mapped` where a trial of it succeeds.
 * @throws {IdentityUnavailableError} When `mapped` was asked for by name and this host can't do it.
 */
export async function chooseIdentity(setting: 'auto' | Identity, host: KnowingHost): Promise<Identity> {
  if (setting === 'emulated') return 'emulated'
  const probe = await findMapping(host)
  if (probe.works) return 'mapped'
  if (setting === 'auto') return 'emulated'
  throw await unavailable(probe.reason, host.uid)
}

async function unavailable(reason: MappingObstacle, uid: number): Promise<IdentityUnavailableError> {
  const facts = {user: accountName(), uid, ...(await readSubidFiles())}
  return identityUnavailableError(
    {evidence: OBSTACLE_EVIDENCE[reason]},
    {hints: [mappingRemedy(reason, facts)]},
  )
}

export class IdentityUnavailableError extends EnvsError {}

/** @public The user asked for the identity `mapped`, and this host can't give it. */
export const identityUnavailableError = defineError(
  'ENVS_IDENTITY_UNAVAILABLE',
  ExitCode.host,
  {
    message: 'This host cannot provide the identity mapped: {evidence}.',
    nextStep: 'Or use the identity emulated: leave the setting identity at auto.',
  },
  IdentityUnavailableError,
)
