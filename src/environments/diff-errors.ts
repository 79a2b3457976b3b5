import {defineError, ExitCode} from '../errors.js'

/** What an environment was made of is not there unpacked any more, so there is nothing to compare it with. */
export const noImageTreeError = defineError('ENVS_NO_IMAGE_TREE', ExitCode.notFound, {
  message: 'Could not compare "{name}" with its image: the unpacked image is no longer on this host.',
  nextStep:
    'Create another environment from the image and compare with that: envs create {image} --name fresh, then envs diff {name} --with fresh',
})
