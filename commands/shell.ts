import {sessionFlags} from '../src/cli/flags.js'
import {Args} from '../src/cli/parse.js'
import {ProjectCommand, upFlags} from '../src/cli/project-command.js'
import {type Failure, sessionStatus} from '../src/cli/render-error.js'
import {printStartNotice} from '../src/cli/session-line.js'
import {runTypedSession} from '../src/environments/session/typed-session.js'
import {openProjectIfAny, projectEnvironments} from '../src/project/open.js'
import {onlyOne, projectSession} from '../src/project/session.js'
import {sessionFields} from '../src/sandbox/session-options.js'

export default class Shell extends ProjectCommand {
  static override enableJsonFlag = false
  static override summary = 'Bring the environment of a project up and open a shell in its folder.'
  static override description =
    `Does what envs up does, then opens a login shell as the user of the file, in the folder of the project that you stand in. \
NAME is an environment of the file; where there is no envs.toml, and for any other name, this is envs enter.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> old',
  ]
  static override args = {
    name: Args.string({description: 'environment of the file, or of the store', ignoreStdin: true}),
  }
  static override flags = {...sessionFlags(), ...upFlags()}

  protected override exitStatusFor(failure: Failure): number {
    return sessionStatus(failure)
  }

  async run(): Promise<undefined> {
    const {args, flags} = await this.parse(Shell)
    const host = this.openHost()
    const typed = sessionFields(flags)
    const file = await openProjectIfAny(host)
    const isOfStore = args.name !== undefined && file?.tables.env[args.name] === undefined
    if (file === undefined || isOfStore) {
      const session = {name: args.name, command: [], fields: typed}
      process.exitCode = await runTypedSession(host, session, {onNotice: printStartNotice})
      return
    }
    const names = args.name === undefined ? [] : [args.name]
    const environment = onlyOne(await projectEnvironments(host, file, names))
    await this.bringUp(environment, flags)
    this.releaseSignals()
    const fields = projectSession(environment, typed, {...host, home: host.environment['HOME']})
    const {name} = environment
    const entered = environment.wish.hooks?.entered
    if (entered !== undefined) {
      const status = await runTypedSession(
        host,
        {name, command: ['/bin/sh', '-eu', '-c', entered], fields},
        {},
      )
      if (status !== 0) this.warn(`the hook "entered" ended with status ${status}.`)
    }
    const session = {name, command: [], fields}
    process.exitCode = await runTypedSession(host, session, {onNotice: printStartNotice})
  }
}
