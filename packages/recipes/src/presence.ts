// @zebu/recipes/presence: that somebody is there, and who is. See README.md.

export { type Group, group, type Member } from './presence/group.ts';
export {
  HeldByOtherError,
  type HoldOptions,
  hold,
  type Presence,
  type PresenceState,
} from './presence/hold.ts';
