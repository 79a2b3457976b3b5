import {Args} from '../src/cli/parse.js'
import {ProjectCommand, projectFileFlag, upFlags} from '../src/cli/project-command.js'
import {openProject, projectEnvironments} from '../src/project/open.js'
import type {UpListResult} from '../src/project/results.js'

export default class Up extends ProjectCommand {
  static override summary = 'Make the environments of a project as its envs.toml says.'
  static override description =
    `Makes what is missing and changes nothing else: the image, its packages, users, files and steps are layers, each known \
by a key of all that decides its content. A layer that any environment of the store has is not made again. An environment that \
has changes of its own is not replaced, unless --replace is given; its former state stays a snapshot. Without NAME: the default \
of the file, its only environment, or all.`
  static override usage = 'up [NAME...] [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> dev --replace',
  ]
  static override args = {names: Args.string({description: 'environments of the file', ignoreStdin: true})}
  static override flags = {file: projectFileFlag(), ...upFlags()}

  async run(): Promise<UpListResult> {
    const {argv, flags} = await this.parse(Up)
    const host = this.openHost()
    const file = await openProject(host, flags.file)
    const results: UpListResult[number][] = []
    for (const environment of await projectEnvironments(host, file, argv.map(String))) {
      const result = await this.bringUp(environment, flags)
      this.#tell(result)
      results.push(result)
    }
    return results
  }

  #tell({name, action, kept}: UpListResult[number]): void {
    const done = {none: `${name} is up to date`, created: `Created ${name}`, replaced: `Changed ${name}`}[
      action
    ]
    this.print(done)
    if (kept !== null) this.note(`Its former state is the snapshot ${kept}: envs restore ${name} ${kept}`)
    if (action !== 'none') this.note(`Enter it: envs shell`)
  }
}
