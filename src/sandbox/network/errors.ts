import {defineError, EnvsError, ExitCode} from '../../errors.js'
import {seeChecks} from '../../host/check.js'
import {describeErrno} from '../../host/errno.js'
import {readNetworkLimits} from '../../host/machine/network-limits.js'
import type {HelperFailure} from './helper.js'
import {formatAddress, formatPublication, type Publication} from './publication.js'

const WITHOUT_WAY_OUT = 'Or leave it without a way out: --network none'

/** No program on this host can lead out of a network of an environment's own. */
export const noPrivateNetworkError = defineError('ENVS_NO_PRIVATE_NETWORK', ExitCode.host, {
  message: 'This host has no private network for an environment: {reason}.',
  nextStep: [seeChecks('private-network'), WITHOUT_WAY_OUT],
})

/** The guest's root could change the routes of its network. */
export const openRoutesError = defineError('ENVS_NO_PRIVATE_NETWORK', ExitCode.host, {
  message:
    'This host has no private network for an environment: it allows no second user namespace, and the root of "{name}" could change its routes.',
  nextStep: [seeChecks('user-namespaces', 'apparmor'), WITHOUT_WAY_OUT],
})

/** The engine proot makes no namespaces. */
export const networkUnsuitableError = defineError('ENVS_NETWORK_UNSUITABLE', ExitCode.host, {
  message: 'The engine {engine} cannot give the environment "{name}" a network of its own.',
  nextStep: [
    seeChecks('engine', 'user-namespaces'),
    "Or let it use the host's network: envs set {name} network=host",
  ],
})

/** @public A program of the host that serves a network did not start. */
export const networkFailedError = defineError('ENVS_NETWORK_FAILED', ExitCode.host, {
  message: 'Could not set up the network of "{name}": step {stage} failed: {reason}.',
  nextStep: seeChecks('private-network'),
})

const REMOVE = 'Or take the publication back: envs publish {name} --remove {publication}'

/** @public Another process listens on the port. */
export const portTakenError = defineError('ENVS_PORT_TAKEN', ExitCode.conflict, {
  message: 'Could not publish port {port} of {address}: {holder} listens on it.',
  nextStep: ['Publish another port of the host: envs publish {name} {other}', REMOVE],
})

/** @public The port is for the host's root alone. */
export const portPrivilegedError = defineError('ENVS_PORT_PRIVILEGED', ExitCode.host, {
  message: "Could not publish port {port} of {address}: ports below {first} are for the host's root alone.",
  nextStep: [
    'Publish another port of the host: envs publish {name} {other}',
    'Or ask the administrator of the host for net.ipv4.ip_unprivileged_port_start={port}.',
    REMOVE,
  ],
})

/** @public The host has not that address. */
export const noSuchAddressError = defineError('ENVS_NO_SUCH_ADDRESS', ExitCode.notFound, {
  message: 'Could not publish port {port} of {address}: this host has no such address.',
  nextStep: ['Publish it at 127.0.0.1, or at all addresses: 0.0.0.0', REMOVE],
})

const [EACCES, EADDRINUSE, EADDRNOTAVAIL] = [13, 98, 99]
type BindValues = Readonly<
  Record<'name' | 'port' | 'holder' | 'first' | 'address' | 'publication' | 'other', string>
>

const BIND_PARTS: Readonly<Record<number, (values: BindValues) => ConstructorParameters<typeof EnvsError>>> =
  {
    [EACCES]: (values) => portPrivilegedError.parts(values),
    [EADDRINUSE]: (values) => portTakenError.parts(values),
    [EADDRNOTAVAIL]: (values) => noSuchAddressError.parts(values),
  }
/** Moves a low or taken port to one that is usually free. */
const HIGHER = 8000
const HIGHEST_PORT = 65_535

/** The answer of the kernel to an ordinary user who asks for a port of root. */
export const privilegedPort: HelperFailure = {stage: 'bind', errno: EACCES, text: ''}

/** A port of the host that can't be published. */
export class PublicationError extends EnvsError {
  constructor(
    readonly subject: {
      readonly name: string
      readonly publication: Publication
      readonly failure: HelperFailure
    },
    holder = 'another program',
  ) {
    super(...partsOf(subject, holder))
  }

  /** Whether another process listens on the port. */
  get isTaken(): boolean {
    const {stage, errno} = this.subject.failure
    return stage === 'bind' && errno === EADDRINUSE
  }
}

function partsOf({name, publication, failure}: PublicationError['subject'], holder: string) {
  const {port, address} = publication
  const parts = failure.stage === 'bind' ? BIND_PARTS[failure.errno] : undefined
  if (parts === undefined) return networkFailedError.parts(helperValues(name, failure))
  const moved = port + HIGHER > HIGHEST_PORT ? port - 1 : port + HIGHER
  return parts({
    ...{name, port: String(port), holder, first: String(readNetworkLimits().firstPort)},
    address: formatAddress(address),
    publication: formatPublication(publication),
    other: formatPublication({...publication, port: moved}),
  })
}

/** Returns the error for a helper that failed. */
export function helperError(name: string, failure: HelperFailure): EnvsError {
  return networkFailedError(helperValues(name, failure))
}

function helperValues(name: string, failure: HelperFailure) {
  return {name, stage: failure.stage, reason: reasonOfFailure(failure)}
}

/** Returns the reason of a failure as a clause. */
export function reasonOfFailure({errno, text}: HelperFailure): string {
  if (text !== '') return text
  return errno === 0 ? 'the program ended without a word' : describeErrno(errno)
}
