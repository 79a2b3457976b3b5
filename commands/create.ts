import {Args, Flags} from '@oclif/core'
import {readSettings} from '../src/config/settings.js'
import {type CreateRequest, Creation} from '../src/environments/create.js'
import {parseEnvironmentName} from '../src/environments/name.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import {UsageError} from '../src/errors.js'
import type {Host} from '../src/host/host.js'
import {parseSha256} from '../src/images/digest.js'
import {environmentNameFor, type ImageReference, parseImageReference} from '../src/images/reference.js'
import {newNameFlag} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {formatBytes} from '../src/ui/size.js'
import {describeIdentity, describeTransfer} from '../src/ui/wording.js'

export default class Create extends EnvsCommand {
  static override summary = 'Create an environment from a rootfs.'
  static override description =
    `IMAGE is a tar archive of a root file system, plain or compressed with gzip, xz, zstd or bzip2: a path with a
slash in it, an http or https URL, or - for standard input.`
  static override hiddenAliases = ['new', 'install']
  static override examples = [
    '<%= config.bin %> <%= command.id %> ./rootfs.tar.gz --name play',
    '<%= config.bin %> <%= command.id %> https://example.org/rootfs.tar.xz -n play --sha256 HEX',
  ]
  static override args = {
    image: Args.string({
      description: 'what to make it from; the setting defaultImage when left out',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    name: newNameFlag(),
    sha256: Flags.string({description: 'digest that the archive must have', helpValue: 'HEX'}),
    identity: Flags.string({
      description: 'how its users come about; chosen by trial when left out',
      options: ['auto', 'mapped', 'emulated'],
    }),
  }

  async run(): Promise<EnvironmentDetails> {
    const {args, flags} = await this.parse(Create)
    const host = this.openHost()
    const settings = await readSettings(host, {identity: flags.identity})
    const reference = readReference(args.image ?? settings.value('defaultImage'), host)
    const creation = await Creation.begin(
      host,
      {
        reference,
        name: chooseName(flags.name, reference),
        sha256: flags.sha256 === undefined ? undefined : parseSha256(flags.sha256),
        identity: settings.value('identity'),
      },
      {signal: this.signal()},
    )
    try {
      await this.runStages([
        {title: 'Fetch', run: (report) => creation.fetch((event) => report(describeTransfer(event)))},
        {
          title: 'Extract',
          run: (report) =>
            creation.extract(({entries, bytes}) => report(`${entries} members, ${formatBytes(bytes)}`)),
        },
        {title: 'Set up', run: () => creation.publish()},
      ])
    } finally {
      await creation.close()
    }
    return this.#tell(host, creation.name)
  }

  async #tell(host: Host, name: string): Promise<EnvironmentDetails> {
    const details = await showEnvironment(host, name)
    if (details.image.trust === 'unverified') {
      this.warn(
        `the image is unverified: give --sha256 HEX to have it checked. What was used is ${details.image.sha256}.`,
      )
    }
    this.print(`Created ${name} in ${details.path}`)
    this.note(`Identity ${describeIdentity(details.identity)}.`)
    this.note(`Enter it: envs enter ${name}`)
    return details
  }
}

function readReference(text: string | undefined, host: Host): ImageReference {
  if (text === undefined) throw new UsageError('Which image?', ['envs create ./rootfs.tar.gz --name play'])
  return parseImageReference(text, {workingFolder: host.workingFolder})
}

function chooseName(flag: string | undefined, reference: ImageReference): CreateRequest['name'] {
  const name = flag ?? environmentNameFor(reference)
  if (name === undefined) throw new UsageError('The image gives no name.', ['Choose one: --name play'])
  return parseEnvironmentName(name)
}
