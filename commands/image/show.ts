import {EnvsCommand} from '../../src/cli/command.js'
import {architectureFlag, architectureIn} from '../../src/cli/flags.js'
import {formatBytes, formatRelativeTime} from '../../src/cli/format.js'
import {Args} from '../../src/cli/parse.js'
import {renderFields} from '../../src/cli/table.js'
import {configurationFields, containerFields} from '../../src/cli/views/container.js'
import {BUILT_FROM_SIGNED, describeArchive} from '../../src/cli/views/creation.js'
import {describeTrust} from '../../src/cli/views/text.js'
import {showImage} from '../../src/environments/image-details.js'
import {pinnedName} from '../../src/images/oci/origin.js'
import type {ImageDetails} from '../../src/images/results.js'

type Field = readonly [label: string, value: string | undefined]

export default class ImageShow extends EnvsCommand {
  static override summary = 'Show details of a cached image.'
  static override description =
    `IMAGE is a name as in envs image list or envs create, a digest, or the first 8 digits of a digest. Shows the \
source of the image, its digests and who vouches for them; of an image of containers, its layers and its \
configuration too. Asks no server.`
  static override aliases = ['image:inspect']
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ghcr.io/owner/tool:1.2 --json',
  ]
  static override args = {
    image: Args.string({description: 'name or digest of an image', ignoreStdin: true, required: true}),
  }
  static override flags = {
    arch: architectureFlag("processor of the image that a name means; the host's when left out"),
  }

  async run(): Promise<ImageDetails> {
    const {args, flags} = await this.parse(ImageShow)
    const host = this.openHost()
    const {details, others} = await showImage(host, args.image, architectureIn(flags) ?? host.architecture)
    this.print(renderFields(fieldsOf(details, host.now())))
    if (others.length > 0) {
      const digests = others.map((digest) => digest.slice(0, 12)).join(' ')
      this.note(
        `The name means other images on this host too. To see one: envs image show DIGEST (${digests})`,
      )
    }
    return details
  }
}

function fieldsOf(image: ImageDetails, now: Date): Field[] {
  const {container, archive, signer, signedAt, lastUsedAt, layers, usedBy} = image
  const ago = (time: Date) => `${time.toISOString()} (${formatRelativeTime(time, now)})`
  return [
    ['Name', container === null ? `${image.name} ${image.version}` : pinnedName(container)],
    ['Source', image.source],
    ['URL', container === null ? image.url : undefined],
    ['Digest', `sha256:${image.sha256}`],
    ['Configuration', container?.configuration],
    ['Architecture', image.architecture],
    ['Size', formatBytes(image.sizeBytes)],
    ['Trust', archive === null ? describeTrust(image) : BUILT_FROM_SIGNED],
    ['Signer', signer === null ? undefined : `${signer.name}, ${signer.fingerprint}`],
    ['Signed', signedAt === null ? undefined : ago(signedAt)],
    ['Fetched', ago(image.fetchedAt)],
    ['Last used', lastUsedAt === null ? 'never' : ago(lastUsedAt)],
    ['In use by', usedBy.length === 0 ? undefined : usedBy.join(' ')],
    ...describeArchive(archive).map(([title, text]): Field => [title, text]),
    ...containerFields(container),
    ...configurationFields(container),
    ...(layers ?? []).map((layer): Field => ['Layer', describeLayer(layer)]),
    ['Path', image.path],
  ]
}

function describeLayer({
  diffId,
  digest,
  sizeBytes,
  sharedWith,
}: NonNullable<ImageDetails['layers']>[number]): string {
  const shared = sharedWith.length === 0 ? '' : `, shared with ${sharedWith.join(' ')}`
  return `sha256:${diffId}, as sha256:${digest}, ${formatBytes(sizeBytes)}${shared}`
}
