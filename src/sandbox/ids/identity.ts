import {accountName} from '../../host/account.js'
import type {Host} from '../../host/host.js'
import {type MappingObstacle, probeMapped, readSubidFiles} from '../../host/id-mapping.js'
import {mappingRemedy} from '../../host/id-mapping-remedy.js'
import {IdentityUnavailableError} from './errors.js'

/**
 * How the guest's root is made:
 * - `mapped`: a range of subordinate ids; every id of the guest is an id of its own.
 * - `emulated`: the user's own id alone; changes of owner or id appear to succeed.
 */
export type Identity = 'mapped' | 'emulated'

/** Words to put before a program that is to see a tree with the owners the guest sees. */
export function treePrefix(identity: Identity, {unshare}: {readonly unshare: string}): string[] {
  switch (identity) {
    case 'mapped':
      return [unshare, '--map-auto', '--map-root-user', '--']
    case 'emulated':
      return []
  }
}

/** Words to put before a program that is to be root of a new user namespace of this identity. */
export function namespacePrefix(identity: Identity, {unshare}: {readonly unshare: string}): string[] {
  return identity === 'mapped'
    ? treePrefix(identity, {unshare})
    : [unshare, '--user', '--map-root-user', '--']
}

/**
 * The identity a new environment gets; a tree's owners on disk depend on it, so it is chosen once.
 *
 * @param setting - `auto` takes `mapped` where a trial of it succeeds.
 * @throws {IdentityUnavailableError} When `mapped` was asked for by name and this host can't do it.
 */
export async function chooseIdentity(
  setting: 'auto' | Identity,
  host: Pick<Host, 'which' | 'uid'>,
): Promise<Identity> {
  if (setting === 'emulated') return 'emulated'
  const probe = await probeMapped(host)
  if (probe.works) return 'mapped'
  if (setting === 'auto') return 'emulated'
  throw await unavailable(probe.reason, host.uid)
}

async function unavailable(reason: MappingObstacle, uid: number): Promise<IdentityUnavailableError> {
  const facts = {user: accountName(), uid, ...(await readSubidFiles())}
  return new IdentityUnavailableError(reason, mappingRemedy(reason, facts))
}
