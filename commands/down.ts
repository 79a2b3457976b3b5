import {EnvsCommand} from '../src/cli/command.js'
import {Args} from '../src/cli/parse.js'
import {projectFileFlag} from '../src/cli/project-command.js'
import {describeRemoval} from '../src/cli/views/text.js'
import {removeEnvironments} from '../src/environments/remove.js'
import type {RemovalResult} from '../src/environments/results.js'
import {openProject, projectEnvironments} from '../src/project/open.js'
import {trashBounds} from '../src/store/trash.js'

export default class Down extends EnvsCommand {
  static override summary = 'Stop and remove the environments of a project.'
  static override description =
    `envs recover brings one back for three days, with its snapshots; until then envs up finds its layers there. Without NAME: \
the default of the file, its only environment, or all.`
  static override usage = 'down [NAME...] [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> dev',
  ]
  static override args = {names: Args.string({description: 'environments of the file', ignoreStdin: true})}
  static override flags = {file: projectFileFlag()}

  async run(): Promise<RemovalResult> {
    const {argv, flags} = await this.parse(Down)
    const host = this.openHost()
    const file = await openProject(host, flags.file)
    const environments = await projectEnvironments(host, file, argv.map(String))
    const there = environments.filter(({exists}) => exists).map(({name}) => name)
    for (const {name, exists} of environments) if (!exists) this.note(`There is no ${name}.`)
    const {removals} = await removeEnvironments(host, there, {
      force: true,
      trash: await trashBounds(host, await this.settings()),
      onRemoved: (removal) => this.note(describeRemoval(removal.name, removal.kept)),
    })
    return {
      removed: removals.map(({name}) => name),
      recoverable: removals.flatMap(({name, kept}) =>
        kept === undefined ? [] : {name, keptUntil: kept.keptUntil},
      ),
    }
  }
}
