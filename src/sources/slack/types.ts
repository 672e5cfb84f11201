/**
 * The Go structs of slack-go 0.27.0, into which upstream decodes what Slack sends and which it encodes again: members in their order,
 * `?` where an empty one is left out. See `go/struct.ts` for the notation.
 */
import type { StructTable } from '../go/struct.ts'

/** `Data` by the type of the inner event. */
export const EVENTS: StructTable = {
  app_deleted:
    'type: string; app_id: string; app_name: string; app_owner_id: string; team_id: string; team_domain: string; event_ts: string',
  app_home_opened: 'type: string; user: string; channel: string; event_ts: string; tab: string; view?: View|null',
  app_installed:
    'type: string; app_id: string; app_name: string; app_owner_id: string; user_id: string; team_id: string; team_domain: string; event_ts: string',
  app_mention:
    'type: string; user: string; text: string; ts: string; thread_ts: string; channel: string; event_ts: string; user_team?: string; source_team?: string; bot_id?: string; blocks?: Blocks; attachments?: Attachment[]; files?: File[]; upload?: bool; edited?: MentionEdited|null; assistant_thread?: AssistantThreadActionToken|null',
  app_requested: 'type: string; app_request: anon1',
  app_uninstalled: 'type: string',
  app_uninstalled_team:
    'type: string; app_id: string; app_name: string; app_owner_id: string; user_id: string; team_id: string; team_domain: string; event_ts: string',
  assistant_thread_context_changed: 'type: string; assistant_thread: AssistantThread; event_ts: string',
  assistant_thread_started: 'type: string; assistant_thread: AssistantThread; event_ts: string',
  call_rejected:
    'token: string; team_id: string; api_app_id: string; event: anon7; type: string; event_id: string; authed_users: string[]',
  channel_archive: 'type: string; channel: string; user: string; event_ts: string',
  channel_created: 'type: string; channel: ChannelCreatedInfo; event_ts: string',
  channel_deleted: 'type: string; channel: string; event_ts: string',
  channel_history_changed: 'type: string; latest: string; ts: string; event_ts: string',
  channel_id_changed: 'type: string; old_channel_id: string; new_channel_id: string; event_ts: string',
  channel_left: 'type: string; channel: string; event_ts: string',
  channel_rename: 'type: string; channel: ChannelRenameInfo; event_ts: string',
  channel_shared: 'type: string; connected_team_id: string; channel: string; event_ts: string',
  channel_unarchive: 'type: string; channel: string; user: string; event_ts: string',
  channel_unshared:
    'type: string; previously_connected_team_id: string; channel: string; is_ext_shared: bool; event_ts: string',
  commands_changed: 'type: string; event_ts: string',
  dnd_updated: 'type: string; user: string; dnd_status: anon8',
  dnd_updated_user: 'type: string; user: string; dnd_status: anon9',
  email_domain_changed: 'type: string; email_domain: string; event_ts: string',
  emoji_changed:
    'type: string; subtype: string; event_ts: string; name?: string; names?: string[]; old_name?: string; new_name?: string; value?: string',
  entity_details_requested:
    'type: string; user: string; external_ref: EntityDetailsRequestedExternalRef; entity_url: string; link: EntityDetailsRequestedLink; app_unfurl_url: string; event_ts: string; trigger_id: string; user_locale: string; channel?: string; message_ts?: string; thread_ts?: string',
  file_change: 'type: string; file_id: string; file: FileEventFile',
  file_created: 'type: string; file_id: string; file: anon10',
  file_deleted: 'type: string; file_id: string; event_ts: string',
  file_public: 'type: string; file_id: string; file: anon10',
  file_shared:
    'type: string; channel_id: string; file_id: string; user_id: string; file: FileEventFile; event_ts: string',
  file_unshared: 'type: string; file_id: string; file: FileEventFile',
  function_executed:
    'type: string; function: anon11; inputs: map<any>; function_execution_id: string; workflow_execution_id: string; event_ts: string; bot_access_token: string',
  grid_migration_finished: 'type: string; enterprise_id: string',
  grid_migration_started: 'type: string; enterprise_id: string',
  group_archive: 'type: string; channel: string; event_ts: string',
  group_close: 'type: string; user: string; channel: string',
  group_deleted: 'type: string; channel: string; event_ts: string',
  group_history_changed: 'type: string; latest: string; ts: string; event_ts: string',
  group_left: 'type: string; channel: string; event_ts: string',
  group_open: 'type: string; user: string; channel: string',
  group_rename: 'type: string; channel: GroupRenameInfo; event_ts: string',
  group_unarchive: 'type: string; channel: string; event_ts: string',
  im_close: 'type: string; user: string; channel: string',
  im_created: 'type: string; user: string; channel: anon10',
  im_history_changed: 'type: string; latest: string; ts: string; event_ts: string',
  im_open: 'type: string; user: string; channel: string',
  invite_requested: 'type: string; invite_request: anon13',
  link_shared:
    'type: string; user: string; ts: string; channel: string; message_ts: string; thread_ts: string; links: SharedLinks[]; event_ts: string',
  member_joined_channel:
    'type: string; user: string; channel: string; channel_type: string; team: string; inviter: string; event_ts: string',
  member_left_channel:
    'type: string; user: string; channel: string; channel_type: string; team: string; event_ts: string',
  message:
    'client_msg_id: string; type: string; user: string; text: string; blocks?: Blocks; thread_ts: string; ts: string; channel: string; channel_type: string; event_ts: string; user_team?: string; source_team?: string; message?: Msg|null; root?: Msg|null; previous_message?: Msg|null; deleted_ts?: string; subtype?: string; bot_id?: string; username?: string; icons?: Icon|null; workflow_id?: string; assistant_thread?: AssistantThreadActionToken|null; room?: HuddleRoom|null; no_notifications?: bool; permalink?: string',
  message_metadata_deleted:
    'type: string; channel_id: string; event_ts: string; previous_metadata: SlackMetadata|null; app_id: string; bot_id: string; user_id: string; team_id: string; message_ts: string; deleted_ts: string',
  message_metadata_posted:
    'type: string; app_id: string; bot_id: string; user_id: string; team_id: string; channel_id: string; metadata: SlackMetadata|null; message_ts: string; event_ts: string',
  message_metadata_updated:
    'type: string; channel_id: string; event_ts: string; previous_metadata: SlackMetadata|null; app_id: string; bot_id: string; user_id: string; team_id: string; message_ts: string; metadata: SlackMetadata|null',
  pin_added: 'type: string; user: string; item: Item; channel_id: string; event_ts: string; has_pins?: bool',
  pin_removed: 'type: string; user: string; item: Item; channel_id: string; event_ts: string; has_pins?: bool',
  reaction_added: 'type: string; user: string; reaction: string; item_user: string; item: Item; event_ts: string',
  reaction_removed: 'type: string; user: string; reaction: string; item_user: string; item: Item; event_ts: string',
  shared_channel_invite_accepted:
    'type: string; approval_required: bool; invite: SharedInvite|null; channel: SharedChannel|null; teams_in_channel: SlackEventTeam|null[]; accepting_user: SlackEventUser|null; event_ts: string; requires_sponsorship?: bool',
  shared_channel_invite_approved:
    'type: string; invite: SharedInvite|null; channel: Conversation|null; approving_team_id: string; teams_in_channel: SlackEventTeam|null[]; approving_user: SlackEventUser|null; event_ts: string',
  shared_channel_invite_declined:
    'type: string; invite: SharedInvite|null; channel: SharedChannel|null; declining_team_id: string; teams_in_channel: SlackEventTeam|null[]; declining_user: SlackEventUser|null; event_ts: string',
  shared_channel_invite_received:
    'type: string; invite: SharedInvite|null; channel: SharedChannel|null; event_ts: string',
  shared_channel_invite_requested:
    'actor: Actor; channel_id: string; event_type: string; channel_name: string; channel_type: string; target_users: TargetUser[]; teams_in_channel: SharedTeam[]; is_external_limited: bool; channel_date_created: int; channel_message_latest_counted_timestamp: int',
  star_added: 'type: string; user: string; item: anon14; event_ts: string',
  star_removed: 'type: string; user: string; item: anon14; event_ts: string',
  subteam_created: 'type: string; subteam: SubTeam',
  subteam_members_changed:
    'type: string; subteam_id: string; team_id: string; date_previous_update: int; date_update: int; added_users: string[]; added_users_count: int; removed_users: string[]; removed_users_count: int',
  subteam_self_added: 'type: string; subteam_id: string',
  subteam_self_removed: 'type: string; subteam_id: string',
  subteam_updated: 'type: string; subteam: SubTeam',
  team_access_granted: 'type: string; team_ids: string[]',
  team_access_revoked: 'type: string; team_ids: string[]',
  team_domain_change: 'type: string; url: string; domain: string; team_id: string',
  team_join: 'type: string; user: User|null; event_ts: string',
  team_rename: 'type: string; name: string; team_id: string',
  tokens_revoked: 'type: string; tokens: tokens; event_ts: string',
  user_change: 'type: string; user: EventUser; cache_ts: int; event_ts: string',
  user_huddle_changed: 'type: string; user: EventUser; cache_ts: int; event_ts: string',
  user_profile_changed: 'user: User|null; cache_ts: int; type: string; event_ts: string',
  user_status_changed: 'type: string; user: EventUser; cache_ts: int; event_ts: string',
}

/** An interaction, and what events and interactions are made of. */
export const STRUCTS: StructTable = {
  Interaction:
    'type: string; token: string; callback_id: string; response_url: string; trigger_id: string; action_ts: string; team: Team; channel: Channel; user: User; original_message: Message; message: Message; name: string; value: string; message_ts: string; attachment_id: string; actions: ActionCallbacks; view: View; action_id: string; api_app_id: string; block_id: string; container: Container; enterprise: Enterprise; is_enterprise_install: bool; submission: map<string>; hash: string; response_urls?: ViewSubmissionCallbackResponseURL[]; is_cleared: bool; state?: raw',
  Actor:
    'id: string; name: string; is_bot: bool; team_id: string; timezone: string; real_name: string; display_name: string',
  AssistantThread: 'user_id: string; context: AssistantThreadContext; channel_id: string; thread_ts: string',
  AssistantThreadActionToken: 'action_token: string',
  AssistantThreadContext: 'channel_id: string; team_id: string; enterprise_id: string',
  Attachment:
    'color?: string; fallback?: string; callback_id?: string; id?: int; author_id?: string; author_name?: string; author_subname?: string; author_link?: string; author_icon?: string; title?: string; title_link?: string; pretext?: string; text?: string; image_url?: string; image_bytes?: int; image_height?: int; image_width?: int; thumb_url?: string; service_name?: string; service_icon?: string; from_url?: string; original_url?: string; fields?: AttachmentField[]; actions?: AttachmentAction[]; mrkdwn_in?: string[]; blocks?: Blocks; footer?: string; footer_icon?: string; ts?: number',
  AttachmentAction:
    'name: string; text: string; style?: string; type: string; value?: string; data_source?: string; min_query_length?: int; options?: AttachmentActionOption[]; selected_options?: AttachmentActionOption[]; option_groups?: AttachmentActionOptionGroup[]; confirm?: ConfirmationField|null; url?: string',
  AttachmentActionOption: 'text: string; value: string; description?: string',
  AttachmentActionOptionGroup: 'text: string; options: AttachmentActionOption[]',
  AttachmentField: 'title: string; value: string; short: bool',
  BlockAction:
    'action_id: string; block_id: string; type: string; text: TextBlockObject; value: string; files: File[]; action_ts: string; selected_option: OptionBlockObject; selected_options: OptionBlockObject[]; selected_user: string; selected_users: string[]; selected_channel: string; selected_channels: string[]; selected_conversation: string; selected_conversations: string[]; selected_date: string; selected_time: string; selected_date_time: int; timezone: string; initial_option: OptionBlockObject; initial_user: string; initial_channel: string; initial_conversation: string; initial_date: string; initial_time: string; rich_text_value: RichTextBlock',
  BotProfile:
    'app_id?: string; deleted?: bool; icons?: Icons|null; id?: string; name?: string; team_id?: string; updated?: int',
  Canvas: 'file_id: string; is_empty: bool; quip_thread_id: string',
  Channel:
    'id: string; created: int; is_open: bool; last_read?: string; latest?: Message|null; unread_count?: int; unread_count_display?: int; is_group: bool; is_shared: bool; is_im: bool; is_ext_shared: bool; is_org_shared: bool; is_global_shared: bool; is_pending_ext_shared: bool; is_private: bool; is_read_only: bool; is_mpim: bool; is_user_deleted: bool; unlinked: int; name_normalized: string; num_members: int; priority: float; user: string; connected_team_ids?: string[]; shared_team_ids?: string[]; internal_team_ids?: string[]; context_team_id?: string; conversation_host_id?: string; previous_names?: string[]; pending_shared?: string[]; name: string; creator: string; is_archived: bool; members: string[]; topic: Topic; purpose: Purpose; is_channel: bool; is_general: bool; is_member: bool; locale: string; properties: Properties|null',
  ChannelCreatedInfo: 'id: string; is_channel: bool; name: string; created: int; creator: string',
  ChannelRenameInfo: 'id: string; name: string; created: int',
  Comment: 'id?: string; created?: int; timestamp?: int; user?: string; comment?: string',
  ConfirmationField: 'title?: string; text: string; ok_text?: string; dismiss_text?: string',
  Container:
    'type: string; view_id: string; message_ts: string; thread_ts?: string; attachment_id: number; channel_id: string; is_ephemeral: bool; is_app_unfurl: bool',
  Conversation:
    'id: string; created: int; is_open: bool; last_read?: string; latest?: Message|null; unread_count?: int; unread_count_display?: int; is_group: bool; is_shared: bool; is_im: bool; is_ext_shared: bool; is_org_shared: bool; is_global_shared: bool; is_pending_ext_shared: bool; is_private: bool; is_read_only: bool; is_mpim: bool; is_user_deleted: bool; unlinked: int; name_normalized: string; num_members: int; priority: float; user: string; connected_team_ids?: string[]; shared_team_ids?: string[]; internal_team_ids?: string[]; context_team_id?: string; conversation_host_id?: string; previous_names?: string[]; pending_shared?: string[]',
  Edited: 'user?: string; ts?: string',
  EmailFileUserInfo: 'address: string; name: string; original: string',
  EmailHeaders: 'date: string; in_reply_to: string; reply_to: string; message_id: string',
  Enterprise: 'id: string; name: string',
  EnterpriseUser:
    'id: string; enterprise_id: string; enterprise_name: string; is_admin: bool; is_owner: bool; is_primary_owner: bool; teams: string[]',
  EntityDetailsRequestedExternalRef: 'id: string; type?: string',
  EntityDetailsRequestedLink: 'url: string; domain: string',
  EventFile:
    'id: string; created: int; timestamp: int; name: string; title: string; mimetype: string; filetype: string; pretty_type: string; user: string; editable: bool; size: int; mode: string; is_external: bool; external_type: string; is_public: bool; public_url_shared: bool; display_as_bot: bool; username: string; url_private: string; file_access: string; url_private_download: string; thumb_64: string; thumb_80: string; thumb_360: string; thumb_360_w: int; thumb_360_h: int; thumb_480: string; thumb_480_w: int; thumb_480_h: int; thumb_160: string; thumb_720: string; thumb_720_w: int; thumb_720_h: int; thumb_800: string; thumb_800_w: int; thumb_800_h: int; thumb_960: string; thumb_960_w: int; thumb_960_h: int; thumb_1024: string; thumb_1024_w: int; thumb_1024_h: int; image_exif_rotation: int; original_w: int; original_h: int; permalink: string; permalink_public: string',
  EventUser:
    'id: string; team_id: string; name: string; deleted: bool; color: string; real_name: string; tz: string; tz_label: string; tz_offset: int; profile: Profile; is_admin: bool; is_owner: bool; is_primary_owner: bool; is_restricted: bool; is_ultra_restricted: bool; is_bot: bool; is_app_user: bool; updated: int; is_email_confirmed: bool; who_can_share_contact_card: string; locale: string',
  File: 'id: string; created: int; timestamp: int; name: string; title: string; mimetype: string; image_exif_rotation: int; filetype: string; pretty_type: string; user: string; mode: string; editable: bool; is_external: bool; external_type: string; size: int; url: string; url_download: string; url_private: string; url_private_download: string; original_h: int; original_w: int; thumb_64: string; thumb_80: string; thumb_160: string; thumb_360: string; thumb_360_gif: string; thumb_360_w: int; thumb_360_h: int; thumb_480: string; thumb_480_w: int; thumb_480_h: int; thumb_720: string; thumb_720_w: int; thumb_720_h: int; thumb_960: string; thumb_960_w: int; thumb_960_h: int; thumb_1024: string; thumb_1024_w: int; thumb_1024_h: int; permalink: string; permalink_public: string; edit_link: string; preview: string; preview_highlight: string; lines: int; lines_more: int; is_public: bool; public_url_shared: bool; channels: string[]; groups: string[]; ims: string[]; initial_comment: Comment; comments_count: int; num_stars: int; is_starred: bool; shares: Share; subject: string; to: EmailFileUserInfo[]; from: EmailFileUserInfo[]; cc: EmailFileUserInfo[]; headers: EmailHeaders; plain_text: string; preview_plain_text: string',
  FileEventFile: 'id: string',
  GroupRenameInfo: 'id: string; name: string; created: int',
  HuddleParticipantEvent:
    'user_team?: map<any>; joined: bool; camera_on: bool; camera_off: bool; screenshare_on: bool; screenshare_off: bool',
  HuddleRecording:
    'can_record_summary?: string; note_taking?: bool; summary?: bool; summary_status?: string; transcript?: bool; recording_user?: string',
  HuddleRoom:
    'id: string; name?: string; media_server?: string; created_by?: string; date_start: int; date_end: int; participants?: string[]; participant_history?: string[]; participants_events?: map<HuddleParticipantEvent>; participants_camera_on?: string[]; participants_camera_off?: string[]; participants_screenshare_on?: string[]; participants_screenshare_off?: string[]; canvas_thread_ts?: string; thread_root_ts?: string; channels?: string[]; is_dm_call: bool; was_rejected: bool; was_missed: bool; was_accepted: bool; has_ended: bool; background_id?: string; canvas_background?: string; is_prewarmed: bool; is_scheduled: bool; recording?: HuddleRecording|null; locale?: string; attached_file_ids?: string[]; media_backend_type?: string; display_id?: string; external_unique_id?: string; app_id?: string; call_family?: string; pending_invitees?: map<any>; last_invite_status_by_user?: map<any>; knocks?: map<any>; huddle_link?: string',
  Icon: 'icon_url?: string; icon_emoji?: string',
  Icons: 'image_36?: string; image_48?: string; image_72?: string; image_132?: string; image_230?: string',
  Item: 'type: string; channel?: string; message?: ItemMessage|null; file?: EventFile|null; comment?: Comment|null; ts?: string',
  ItemMessage:
    'type: string; user: string; text: string; ts: string; pinned_to: string[]; replace_original: bool; delete_original: bool',
  ItemReaction: 'name: string; count: int; users: string[]',
  MentionEdited: 'user: string; ts: string',
  Message:
    'client_msg_id?: string; type?: string; channel?: string; user?: string; text?: string; ts?: string; thread_ts?: string; is_starred?: bool; pinned_to?: string[]; attachments?: Attachment[]; edited?: Edited|null; last_read?: string; subscribed?: bool; unread_count?: int; subtype?: string; hidden?: bool; deleted_ts?: string; event_ts?: string; bot_id?: string; username?: string; icons?: Icon|null; bot_profile?: BotProfile|null; trigger_id?: string; workflow_id?: string; inviter?: string; topic?: string; purpose?: string; name?: string; old_name?: string; members?: string[]; reply_count?: int; reply_users?: string[]; replies?: Reply[]; parent_user_id?: string; latest_reply?: string; files?: File[]; upload?: bool; comment?: Comment|null; item_type?: string; reply_to?: int; team?: string; reactions?: ItemReaction[]; response_type?: string; replace_original: bool; delete_original: bool; metadata?: SlackMetadata; blocks?: Blocks; permalink?: string; message?: Msg|null; previous_message?: Msg|null; root?: Msg|null',
  Msg: 'client_msg_id?: string; type?: string; channel?: string; user?: string; text?: string; ts?: string; thread_ts?: string; is_starred?: bool; pinned_to?: string[]; attachments?: Attachment[]; edited?: Edited|null; last_read?: string; subscribed?: bool; unread_count?: int; subtype?: string; hidden?: bool; deleted_ts?: string; event_ts?: string; bot_id?: string; username?: string; icons?: Icon|null; bot_profile?: BotProfile|null; trigger_id?: string; workflow_id?: string; inviter?: string; topic?: string; purpose?: string; name?: string; old_name?: string; members?: string[]; reply_count?: int; reply_users?: string[]; replies?: Reply[]; parent_user_id?: string; latest_reply?: string; files?: File[]; upload?: bool; comment?: Comment|null; item_type?: string; reply_to?: int; team?: string; reactions?: ItemReaction[]; response_type?: string; replace_original: bool; delete_original: bool; metadata?: SlackMetadata; blocks?: Blocks; permalink?: string',
  OptionBlockObject: 'text: TextBlockObject|null; value: string; description?: TextBlockObject|null; url?: string',
  Profile:
    'title: string; phone: string; skype: string; real_name: string; real_name_normalized: string; display_name: string; display_name_normalized: string; fields: map<any>; status_text: string; status_emoji: string; status_emoji_display_info: any[]; status_expiration: int; avatar_hash: string; first_name: string; last_name: string; image_24: string; image_32: string; image_48: string; image_72: string; image_192: string; image_512: string; status_text_canonical: string; team: string',
  Properties:
    'canvas: Canvas; posting_restricted_to: RestrictedTo; tabs: Tab[]; threads_restricted_to: RestrictedTo; record_channel: RecordChannel',
  Purpose: 'value: string; creator: string; last_set: int',
  RecordChannel: 'record_id: string; record_type: string; record_label: string; record_label_plural: string',
  Reply: 'user?: string; ts?: string',
  ResponseMetadata: 'next_cursor: string; messages: string[]; warnings: string[]',
  RestrictedTo: 'type: string[]; user: string[]',
  RichTextBlock: 'type: string; block_id?: string; elements: raw[]',
  Share: 'public: map<ShareFileInfo[]>; private: map<ShareFileInfo[]>',
  ShareFileInfo:
    'reply_users: string[]; reply_users_count: int; reply_count: int; ts: string; thread_ts: string; latest_reply: string; channel_name: string; team_id: string',
  SharedChannel: 'id: string; is_private: bool; is_im: bool; name?: string',
  SharedInvite:
    'id: string; date_created: int; date_invalid: int; inviting_team?: SlackEventTeam|null; inviting_user?: SlackEventUser|null; recipient_email?: string; recipient_user_id?: string; is_sponsored?: bool; is_external_limited?: bool',
  SharedLinks: 'domain: string; url: string',
  SharedTeam:
    'id: string; icon: TeamIcon; name: string; domain: string; is_verified: bool; date_created: int; avatar_base_url: string; requires_sponsorship: bool',
  SlackEventIcon:
    'image_default?: bool; image_34?: string; image_44?: string; image_68?: string; image_88?: string; image_102?: string; image_132?: string; image_230?: string',
  SlackEventTeam:
    'id: string; name: string; icon?: SlackEventIcon|null; avatar_base_url?: string; is_verified: bool; domain: string; date_created: int; requires_sponsorship?: bool',
  SlackEventUser:
    'id: string; team_id: string; name: string; updated?: int; profile?: UserProfile|null; who_can_share_contact_card?: string',
  SlackMetadata: 'event_type: string; event_payload: map<any>',
  SubTeam:
    'id: string; team_id: string; is_usergroup: bool; name: string; description: string; handle: string; is_external: bool; date_create: int; date_update: int; date_delete: int; auto_type: string; created_by: string; updated_by: string; deleted_by: string; prefs: anon15; users: string[]; user_count: int',
  Tab: 'id: string; label: string; type: string',
  TargetUser: 'email: string; invite_id: string',
  Team: 'id: string; name: string; domain: string; enterprise_id?: string; enterprise_name?: string; icon?: Icons|null',
  TeamIcon: 'image_34: string; image_default: bool',
  TextBlockObject: 'type: string; text: string; emoji?: bool|null; verbatim?: bool',
  Topic: 'value: string; creator: string; last_set: int',
  User: 'id: string; team_id: string; name: string; username?: string; deleted: bool; color: string; real_name: string; tz?: string; tz_label: string; tz_offset: int; profile: UserProfile; is_bot: bool; is_admin: bool; is_owner: bool; is_primary_owner: bool; is_restricted: bool; is_ultra_restricted: bool; is_stranger: bool; is_app_user: bool; is_connector_bot: bool; is_workflow_bot: bool; is_invited_user: bool; is_email_confirmed: bool; has_2fa?: bool|null; two_factor_type: string|null; has_files: bool; presence: string; locale: string; updated: int; who_can_share_contact_card?: string; enterprise_user?: EnterpriseUser',
  UserProfile:
    'first_name?: string; last_name?: string; real_name: string; real_name_normalized: string; display_name: string; display_name_normalized: string; pronouns?: string; avatar_hash: string; email?: string; skype?: string; phone?: string; image_24: string; image_32: string; image_48: string; image_72: string; image_192: string; image_512: string; image_1024?: string; image_original?: string; is_custom_image?: bool; title?: string; bot_id?: string; api_app_id?: string; always_active?: bool; status_text?: string; status_emoji?: string; status_emoji_display_info?: UserProfileStatusEmojiDisplayInfo[]; status_expiration?: int; status_text_canonical?: string; huddle_state?: string; huddle_state_expiration_ts?: int; start_date?: string; guest_invited_by?: string; team: string; fields?: UserProfileCustomFields',
  UserProfileStatusEmojiDisplayInfo:
    'emoji_name: string; display_alias?: string; display_url?: string; unicode?: string',
  View: 'ok: bool; error: string; warning: string; errors?: SlackResponseErrors[]; response_metadata: ResponseMetadata; id: string; team_id: string; type: string; title: TextBlockObject|null; close: TextBlockObject|null; submit: TextBlockObject|null; blocks: Blocks; private_metadata: string; callback_id: string; state: ViewState|null; hash: string; clear_on_close: bool; notify_on_close: bool; root_view_id: string; previous_view_id: string; app_id: string; external_id: string; bot_id: string; app_installed_team_id: string',
  ViewState: 'values: map<map<BlockAction>>',
  ViewSubmissionCallbackResponseURL: 'block_id: string; action_id: string; channel_id: string; response_url: string',
  anon1:
    'id: string; app: anon2; previous_resolution: anon3; user: anon5; team: anon6; enterprise: any; scopes: anon4[]; message: string',
  anon10: 'id: string',
  anon11:
    'id: string; callback_id: string; title: string; description: string; type: string; input_parameters: anon12[]; output_parameters: anon12[]; app_id: string; date_created: int; date_updated: int; date_deleted: int',
  anon12: 'type: string; name: string; description: string; title: string; is_required: bool',
  anon13:
    'id: string; email: string; date_created: int; requester_ids: string[]; channel_ids: string[]; invite_type: string; real_name: string; date_expire: int; request_reason: string; team: anon6',
  anon14: '',
  anon15: 'channels: string[]; groups: string[]',
  anon2:
    'id: string; name: string; description: string; help_url: string; privacy_policy_url: string; app_homepage_url: string; app_directory_url: string; is_app_directory_approved: bool; is_internal: bool; additional_info: string',
  anon3: 'status: string; scopes: anon4[]',
  anon4: 'name: string; description: string; is_sensitive: bool; token_type: string',
  anon5: 'id: string; name: string; email: string',
  anon6: 'id: string; name: string; domain: string',
  anon7: 'type: string; call_id: string; user_id: string; channel_id: string; external_unique_id: string',
  anon8: 'dnd_enabled: bool; next_dnd_start_ts: int; next_dnd_end_ts: int; snooze_enabled: bool; snooze_endtime: int',
  anon9: 'dnd_enabled: bool; next_dnd_start_ts: int; next_dnd_end_ts: int',
  tokens: 'oauth: string[]; bot: string[]',
  CustomField: 'value: string; alt: string; label: string',
}
