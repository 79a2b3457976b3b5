import {EnvsCommand} from '../src/cli/command.js'
import {identityFlag, newNameFlag, storageFlag, timingsFlag} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {runCreation} from '../src/cli/views/creation.js'
import {
  describeIdentity,
  describeLosses,
  describeOrigin,
  describeSquashedOwners,
} from '../src/cli/views/text.js'
import {type Creation, createEnvironment} from '../src/environments/create/creation.js'
import {imageContext} from '../src/environments/create/request.js'
import {type ExportNote, planImport} from '../src/environments/export/import.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'

export default class Import extends EnvsCommand {
  static override summary = 'Create an environment from a file that envs export wrote.'
  static override description =
    `FILE is a path, or - for standard input. It may be any tarball of a root file system, plain or compressed with \
gzip, xz, zstd or bzip2. envs shows the origin that the file claims, but does not verify it: --sha256 HEX, as printed \
by envs export, verifies every byte.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play.tar.zst',
    '<%= config.bin %> <%= command.id %> play.tar.zst --name again --identity mapped',
    'ssh HOST envs export play | <%= config.bin %> <%= command.id %> - -n copy',
  ]
  static override args = {
    file: Args.string({description: 'file to read', ignoreStdin: true, required: true}),
  }
  static override flags = {
    name: newNameFlag('name of the new environment [default: its name in the file]'),
    sha256: Flags.string({description: 'expected SHA-256 digest of the file', helpValue: 'HEX'}),
    identity: identityFlag(),
    storage: storageFlag(),
    timings: timingsFlag(),
  }

  async run(): Promise<EnvironmentDetails> {
    const {args, flags} = await this.parse(Import)
    const host = this.openHost()
    const settings = await this.settings({identity: flags.identity, storage: flags.storage})
    const signal = this.signal()
    const context = imageContext(host, settings, {signal, allowSha1: false, onNotice: this.reportNotice})
    const tools = {host, settings, context, standardInput: process.stdin}
    const {request, note} = await planImport({...flags, file: args.file}, tools)
    const work = (creation: Creation) => runCreation(creation, this.creationHooks())
    const creation = await createEnvironment(host, request, {signal, work})
    return this.#tell(await showEnvironment(host, creation.name, creation.engine), creation, note)
  }

  #tell(
    details: EnvironmentDetails,
    {name, extraction}: Creation,
    note: ExportNote | undefined,
  ): EnvironmentDetails {
    const squashed = extraction?.squashedOwners
    if (squashed !== undefined && squashed.count > 0) this.warn(describeSquashedOwners(squashed))
    this.warnOfGaps(details.isolationGaps)
    this.print(`Imported ${name}`)
    if (note !== undefined) this.note(describeOrigin(note))
    this.note(`Identity ${describeIdentity(details.identity)}.`)
    const losses = extraction === undefined ? undefined : describeLosses(extraction.losses, name)
    if (losses !== undefined) this.note(losses)
    return details
  }
}
