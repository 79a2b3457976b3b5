import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {describeStaleShims} from '../src/cli/views/text.js'
import {renameEnvironment} from '../src/environments/rename.js'
import type {RenameResult} from '../src/environments/results.js'
import {shimsOf} from '../src/environments/shims.js'

export default class Rename extends EnvsCommand {
  static override summary = 'Rename an environment.'
  static override description = 'Changes its hostname and prompt too. The environment must not be running.'
  static override aliases = ['mv']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play web',
    '<%= config.bin %> <%= command.id %> play web --json',
  ]
  static override args = {name: nameArg(), newName: nameArg('new name of the environment')}

  async run(): Promise<RenameResult> {
    const {args} = await this.parse(Rename)
    const host = this.openHost()
    const {name, files} = await renameEnvironment(host, args.name, args.newName)
    this.note(`Renamed ${args.name} to ${name}.`)
    const left = describeStaleShims(await shimsOf(host, args.name))
    if (left !== undefined) this.note(left)
    return {name, path: files.root}
  }
}
