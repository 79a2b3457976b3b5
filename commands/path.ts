import {chooseEnvironment} from '../src/environments/store.js'
import {optionalNameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'

export default class Path extends EnvsCommand {
  static override summary = "Show where an environment's files are."
  static override description =
    "The folder is the guest's root. Treat what is in it as the guest's word: a link there may lead anywhere."
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    'ls "$(<%= config.bin %> <%= command.id %> play)/etc"',
  ]
  static override args = {name: optionalNameArg()}

  async run(): Promise<{name: string; path: string}> {
    const {args} = await this.parse(Path)
    const {name, files} = await chooseEnvironment(this.openHost().paths, args.name)
    this.print(files.root)
    return {name, path: files.root}
  }
}
