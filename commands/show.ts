import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg} from '../src/cli/flags.js'
import {formatBytes, formatRelativeTime} from '../src/cli/format.js'
import {renderFields} from '../src/cli/table.js'
import {containerFields} from '../src/cli/views/container.js'
import {BUILT_FROM_SIGNED, describeArchive} from '../src/cli/views/creation.js'
import {
  describeArchitecture,
  describeEngine,
  describeIdentity,
  describeIsolationGap,
  describeStorage,
  describeTrust,
} from '../src/cli/views/text.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import type {Host} from '../src/host/host.js'
import {pinnedName} from '../src/images/oci/origin.js'

export default class Show extends EnvsCommand {
  static override summary = 'Show details of an environment.'
  static override description =
    'Shows its image and the signature of the image, its identity, its size and its processes.'
  static override aliases = ['info', 'inspect']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {name: optionalNameArg()}

  async run(): Promise<EnvironmentDetails> {
    const {args} = await this.parse(Show)
    const host = this.openHost()
    const setting = (await this.settings()).value('engine')
    const details = await showEnvironment(host, args.name, setting)
    this.#print(details, host)
    return details
  }

  #print(details: EnvironmentDetails, host: Host): void {
    const now = host.now()
    const {image, extraction, lastUsedAt, sizeBytes, sharedBytes} = details
    const ago = (time: Date) => `${time.toISOString()} (${formatRelativeTime(time, now)})`
    const countIfAny = (count: number) => (count === 0 ? undefined : String(count))
    this.print(
      renderFields([
        ['Name', details.name],
        ['State', details.state === 'running' ? `running, ${countProcesses(details.processes)}` : 'stopped'],
        ['Anchor', details.anchorPid === null ? undefined : `process ${details.anchorPid} on the host`],
        ['Path', details.path],
        ['Size', formatBytes(sizeBytes)],
        ['Shared', sharedBytes === 0 ? undefined : formatBytes(sharedBytes)],
        ['Created', ago(details.createdAt)],
        ['Last used', lastUsedAt === null ? 'never' : ago(lastUsedAt)],
        ['Identity', describeIdentity(details.identity)],
        ['Storage', describeStorage(details.storage)],
        ['Snapshots', details.storage === 'overlay' ? String(details.snapshots) : undefined],
        ['Engine', describeEngine(details.engine)],
        ...details.isolationGaps.map((gap) => ['Isolation', describeIsolationGap(gap)] as const),
        ['Init', details.init],
        ['Network', details.network],
        ['Published', details.publish.join(', ') || undefined],
        ['Allowed', [...details.allow, ...details.allowHosts].join(', ') || undefined],
        ['Architecture', describeArchitecture(details.architecture, host.architecture)],
        [
          'Image',
          image.container !== null
            ? pinnedName(image.container)
            : image.name === null
              ? image.source
              : `${image.name} ${image.version}`,
        ],
        ['Source', image.name === null ? undefined : image.source],
        ['Digest', `sha256:${image.sha256}`],
        ['Trust', image.archive === null ? describeTrust(image) : BUILT_FROM_SIGNED],
        ...containerFields(image.container),
        ['Signer', image.signer === null ? undefined : `${image.signer.name}, ${image.signer.fingerprint}`],
        ['Signed', image.signedAt === null ? undefined : ago(image.signedAt)],
        ...describeArchive(image.archive).map(([title, text]) => [title, text] as const),
        ['Archive', `${image.compression}, ${formatBytes(image.sizeBytes)}, ${extraction.entries} members`],
        ['Devices left out', countIfAny(extraction.skippedDevices)],
        ['Owners out of range', countIfAny(extraction.squashedOwners)],
        ['Capabilities left out', countIfAny(extraction.fileCapabilities)],
      ]),
    )
  }
}

function countProcesses(count: number): string {
  return count === 1 ? '1 process' : `${count} processes`
}
