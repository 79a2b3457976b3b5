import {readSettings} from '../src/config/settings.js'
import {Creation} from '../src/environments/create.js'
import {imageContext} from '../src/environments/image-context.js'
import {type ExportNote, planImport} from '../src/environments/import-request.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import {identityFlag, newNameFlag, storageFlag} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {Args, Flags} from '../src/ui/definitions.js'
import {unpackProgress} from '../src/ui/unpack-progress.js'
import {describeIdentity, describeLosses, describeOrigin, describeSquashedOwners} from '../src/ui/wording.js'

export default class Import extends EnvsCommand {
  static override summary = 'Create an environment from a file that envs export wrote.'
  static override description =
    `FILE is a path, or - for standard input. It may be any tar archive of a root file system, plain or compressed with \
gzip, xz, zstd or bzip2. What the archive says of its origin is shown, and is nobody's proof: give --sha256 HEX, as \
envs export printed it, to have every byte checked.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play.tar.zst',
    '<%= config.bin %> <%= command.id %> play.tar.zst --name again --identity mapped',
    'ssh HOST envs export play | <%= config.bin %> <%= command.id %> - -n copy',
  ]
  static override args = {
    file: Args.string({description: 'archive to read', ignoreStdin: true, required: true}),
  }
  static override flags = {
    name: newNameFlag('name of the new environment; the one it had when left out'),
    sha256: Flags.string({description: 'digest that the archive must have', helpValue: 'HEX'}),
    identity: identityFlag(),
    storage: storageFlag(),
  }

  async run(): Promise<EnvironmentDetails> {
    const {args, flags} = await this.parse(Import)
    const host = this.openHost()
    const settings = await readSettings(host, {identity: flags.identity, storage: flags.storage})
    const signal = this.signal()
    const context = imageContext(host, settings, {signal, allowSha1: false, onNotice: this.tellNotice})
    const tools = {host, settings, context, standardInput: process.stdin}
    const {request, note} = await planImport({...flags, file: args.file}, tools)
    const creation = await Creation.begin(host, request, {signal})
    const progress = unpackProgress(() => performance.now())
    const hooks = {onProgress: progress.transfer, onResolved: () => {}}
    try {
      await this.runStages([
        progress.stage('Extract', async () => {
          await creation.fetch(hooks)
          await creation.extract(progress.extraction)
        }),
        {title: 'Set up', run: () => creation.publish()},
      ])
    } finally {
      await creation.close()
    }
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
