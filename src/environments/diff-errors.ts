import {EnvsError, ExitCode} from '../errors.js'

/** What an environment was made of is not there unpacked any more, so there is nothing to compare it with. */
export class ImageNotKeptError extends EnvsError {
  /** @param image - As `envs create` takes it. */
  constructor(name: string, image: string) {
    super(`${name} can't be compared with its image, which is not kept here as a tree.`, {
      code: 'ENVS_NO_IMAGE_TREE',
      exitCode: ExitCode.notFound,
      suggestions: [
        `Make another one of the image, and compare with that: envs create ${image} --name fresh, then envs diff ${name} --with fresh`,
      ],
    })
  }
}
