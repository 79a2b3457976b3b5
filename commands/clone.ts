import {Flags} from '@oclif/core'
import {readSettings} from '../src/config/settings.js'
import {Cloning} from '../src/environments/clone.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import {nameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {describeConversion, describeIdentity} from '../src/ui/wording.js'

export default class Clone extends EnvsCommand {
  static override summary = 'Copy an environment.'
  static override description =
    `The copy has a name, a hostname and a machine id of its own; all else is as in the original, keys of an SSH server \
too. Blocks are shared where the file system can. The original must not be running.`
  static override hiddenAliases = ['cp']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play spare',
    '<%= config.bin %> <%= command.id %> play real-users --identity mapped',
  ]
  static override args = {name: nameArg(), newName: nameArg('name of the copy')}
  static override flags = {
    identity: Flags.string({
      description: 'how users of the copy come about; as in the original when left out',
      options: ['auto', 'mapped', 'emulated'],
    }),
  }

  async run(): Promise<EnvironmentDetails> {
    const {args, flags} = await this.parse(Clone)
    const host = this.openHost()
    const settings = await readSettings(host, {identity: flags.identity})
    const request = {
      from: args.name,
      to: args.newName,
      identity: flags.identity === undefined ? undefined : settings.value('identity'),
      isSynced: settings.value('durable') !== 'never',
    }
    const cloning = await Cloning.begin(host, request, {signal: this.signal()})
    try {
      await this.runStages([
        {title: 'Copy', run: () => cloning.copy()},
        {title: 'Set up', run: () => cloning.publish()},
      ])
    } finally {
      await cloning.close()
    }
    return this.#tell(await showEnvironment(host, cloning.name), cloning)
  }

  #tell(details: EnvironmentDetails, {source, name, identity}: Cloning): EnvironmentDetails {
    this.note(`Copied ${source.name} to ${name}.`)
    if (identity !== source.record.identity) {
      this.note(`Identity ${describeIdentity(identity)}.`)
      this.note(describeConversion(identity, name))
    }
    return details
  }
}
