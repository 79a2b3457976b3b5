import {registryMirrors} from '../config/schema.js'
import type {Settings} from '../config/settings.js'
import type {HostTrust, TlsTrust} from '../host/http/trust.js'
import {type CertificateFolders, readCertificates} from './access/certificates.js'
import {DOCKER_HUB, type RegistryReference} from './reference.js'

/** Settings that say how registries are reached. */
export type RegistrySettings = {
  readonly mirrors: readonly {readonly host: string; readonly folder: string}[]
  /** Hosts whose certificates are not verified, and that may speak plain HTTP. */
  readonly insecure: readonly string[]
  /** A folder of certificates by host, before those of podman and Docker. */
  readonly certificates: string | undefined
}

/** @throws {@link invalidSettingError} */
export function registrySettings(settings: Pick<Settings, 'value'>): RegistrySettings {
  return {
    mirrors: registryMirrors(settings.value('registries.mirrors')),
    insecure: settings.value('registries.insecure'),
    certificates: settings.value('registries.certificates'),
  }
}

/** A server that may have an image: the registry, or a mirror. */
export type Endpoint = {
  /** As people write it, for messages and for credentials. */
  readonly host: string
  /** The repository there, in which a mirror may have a folder of its own. */
  readonly repository: string
  readonly isMirror: boolean
  readonly isInsecure: boolean
  /** The server alone, with a slash at its end. An insecure one may turn out to speak plain HTTP. */
  origin: URL
}

/** Docker Hub's API has another host than its name. */
const HUB_API = 'registry-1.docker.io'

/** Returns the servers to ask for an image, in this order: its mirrors, then the registry. */
export function pullEndpoints(
  reference: Pick<RegistryReference, 'host' | 'repository'>,
  settings: RegistrySettings,
): readonly [Endpoint, ...Endpoint[]] {
  const mirrors = settings.mirrors
    .filter(({host}) => host === reference.host)
    .map(({folder}) => mirrorEndpoint(new URL(folder), {repository: reference.repository, settings}))
  const [first = registryEndpoint(reference, settings), ...rest] = mirrors
  return mirrors.length === 0 ? [first] : [first, ...rest, registryEndpoint(reference, settings)]
}

/** Returns the registry itself: a mirror takes no pushes. */
export function registryEndpoint(
  {host, repository}: Pick<RegistryReference, 'host' | 'repository'>,
  {insecure}: Pick<RegistrySettings, 'insecure'>,
): Endpoint {
  return {
    host,
    repository,
    isMirror: false,
    isInsecure: insecure.includes(host),
    origin: new URL(`https://${host === DOCKER_HUB ? HUB_API : host}/`),
  }
}

function mirrorEndpoint(
  folder: URL,
  {repository, settings}: {repository: string; settings: RegistrySettings},
): Endpoint {
  const path = folder.pathname.replace(/^\/+|\/+$/g, '')
  return {
    host: folder.host,
    repository: path === '' ? repository : `${path}/${repository}`,
    isMirror: true,
    isInsecure: folder.protocol === 'http:' || settings.insecure.includes(folder.host),
    origin: new URL('/', folder),
  }
}

/**
 * Returns the TLS settings of an endpoint and of the hosts that it leads to.
 *
 * Its authorities count for these too, as with podman and Docker: a registry with a private authority has its storage and
 * its token service under the same. A client's key, and being insecure, are for one host alone.
 */
export function trustOf(
  endpoint: Endpoint,
  settings: RegistrySettings,
  folders: CertificateFolders,
): HostTrust {
  const known = new Map<string, Promise<TlsTrust>>()
  const certificatesOf = (hosts: readonly string[], isInsecure: boolean) => {
    const key = hosts.join(' ')
    const found = known.get(key) ?? readCertificates(hosts, {folders, isInsecure})
    known.set(key, found)
    return found
  }
  return async (url) => {
    const own = await certificatesOf([endpoint.host, endpoint.origin.host], endpoint.isInsecure)
    if (url.host === endpoint.origin.host) return own
    const other = await certificatesOf([url.host], settings.insecure.includes(url.host))
    return {...other, authorities: [...other.authorities, ...own.authorities]}
  }
}
