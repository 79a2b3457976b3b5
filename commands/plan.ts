import {Args, Flags} from '../src/cli/parse.js'
import {ProjectCommand, projectFileFlag} from '../src/cli/project-command.js'
import {ExitCode} from '../src/errors.js'
import {openProject, projectEnvironments} from '../src/project/open.js'
import type {ProjectPlan} from '../src/project/plan.js'
import type {PlanListResult} from '../src/project/results.js'
import {isAllowed, outreachOf} from '../src/project/trust.js'

export default class Plan extends ProjectCommand {
  static override summary = 'Show what envs up would do.'
  static override description =
    `Compares the environments with the envs.toml of the project and changes nothing. The exit status is 10 where envs up would \
do something, and 0 where all is as the file says.`
  static override usage = 'plan [NAME...] [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> dev --json',
  ]
  static override args = {names: Args.string({description: 'environments of the file', ignoreStdin: true})}
  static override flags = {
    file: projectFileFlag(),
    offline: Flags.boolean({description: 'send no request: use what is cached'}),
  }

  async run(): Promise<PlanListResult> {
    const {argv, flags} = await this.parse(Plan)
    const host = this.openHost()
    const file = await openProject(host, flags.file)
    const results: PlanListResult[number][] = []
    for (const environment of await projectEnvironments(host, file, argv.map(String))) {
      const plan = await this.plan(environment, flags)
      results.push(this.#show(plan))
    }
    if (results.some(({action}) => action !== 'none')) process.exitCode = ExitCode.found
    return results
  }

  #show({environment, layers, knownCount, baseKey, action}: ProjectPlan): PlanListResult[number] {
    const {name, table, wish} = environment
    const shown = layers.map(({title, key}, index) => ({
      title,
      key: baseKey === undefined ? null : key,
      isKnown: index + 1 < knownCount,
    }))
    const {wishes} = outreachOf(environment)
    this.print(
      `${name}: ${{none: 'up to date', create: 'would be created', replace: 'would be changed'}[action]}`,
    )
    this.print(`  ${knownCount > 0 ? 'kept  ' : '+ make'}  image ${wish.image}`)
    for (const {title, isKnown} of shown) this.print(`  ${isKnown ? 'kept  ' : '+ make'}  ${title}`)
    if (!isAllowed(this.openHost(), environment))
      for (const each of wishes) this.print(`  ! asks for ${each}`)
    return {name, table, action, image: wish.image, layers: shown, outreach: [...wishes]}
  }
}
