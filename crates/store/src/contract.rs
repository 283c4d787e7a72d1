//! One suite for every backend. Each case takes a fresh, empty store and panics where a promise is
//! broken; `contract_tests!` makes a test of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a case that fails must panic, and says where"
)]

pub mod access;
pub mod change;
pub mod chat;
pub mod conversation;
pub mod cursors;
pub mod delivery;
pub mod early;
pub mod event;
pub mod identity;
pub mod incoming;
pub mod ingest;
pub mod isolation;
pub mod limits;
pub mod line;
pub mod lost;
pub mod merge;
pub mod message;
pub mod race;
pub mod restart;
pub mod schedule;
pub mod script;
pub mod state;
pub mod tag_value;
pub mod unmapped;
pub mod user;
pub mod workflow;
pub mod workflow_news;
pub mod world;

use std::sync::Arc;

use async_trait::async_trait;

use crate::Store;

/// Makes the stores that the suite tests.
#[async_trait]
pub trait Factory: Send + Sync {
    /// A fresh, empty store.
    async fn open(&self) -> Arc<dyn Store>;

    /// Closes a store and opens what it keeps again.
    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;
}

/// Makes a test of each case of the suite. Takes an expression that gives a [`Factory`].
#[macro_export]
macro_rules! contract_tests {
    // For a backend that does not serve all yet; it lists what it lacks.
    (core: $factory:expr) => {
        $crate::contract_tests! { @core $factory }
    };
    ($factory:expr) => {
        $crate::contract_tests! { @core $factory }
        $crate::contract_tests! { @modules $factory;
            incoming:
                a_message_is_initialized_with_all_that_it_belongs_to
                an_initialization_happens_whole_or_not_at_all
                racing_initializations_make_each_once
                history_is_listed_by_its_time_and_told_to_nobody
                an_import_is_taken_whole_or_not_at_all
                racing_imports_make_each_once
                history_and_what_waits_go_with_a_merge
                nothing_comes_in_that_refers_to_another_bots;
            schedule:
                a_scheduled_event_comes_when_it_is_due
                a_canceled_event_never_comes
                a_cancel_and_a_delivery_never_both_win
                a_scheduled_message_takes_its_place_when_it_is_due
                what_was_deleted_never_comes;
            change:
                an_edit_goes_out_in_its_line
                changes_pass_on_what_the_channel_has
                edits_that_wait_become_the_newest
                a_message_on_its_way_is_edited_behind
                what_failed_is_not_edited
                a_deletion_reaches_the_channel
                a_deletion_takes_the_place_of_an_edit
                a_refused_change_is_kept_and_makes_way
                a_dropped_change_leaves_nothing
                a_lost_change_is_made_again
                what_nobody_tells_stays_here;
            merge:
                a_thread_that_moves_keeps_its_conversation
                two_conversations_of_one_thread_become_one
                lines_that_become_one_keep_the_order
                a_threads_earlier_name_is_remembered
                an_edit_changes_the_message_and_keeps_what_it_said;
            early:
                an_edit_before_its_message_changes_it
                a_message_and_its_edits_end_alike_in_every_order
                racing_messages_and_edits_end_with_the_edit
                of_many_early_edits_the_newest_are_kept
                an_edit_without_a_message_is_forgotten
                an_edit_waits_for_what_no_script_could_place
                an_early_edit_finds_its_message_in_any_conversation;
            chat:
                who_leaves_a_chat_leaves_all_its_conversations
                who_joins_a_chat_takes_part_once
                an_older_word_on_who_is_in_a_chat_changes_nothing
                who_speaks_after_leaving_is_there
                who_is_in_a_chat_whose_conversations_are_decided
                who_joins_a_chat_whose_conversations_are_decided
                who_leaves_a_decided_chat_that_moved
                tags_of_a_chat_and_of_a_topic
                a_message_is_found_by_its_name_in_the_chat
                a_chat_that_moved_is_known_by_its_new_name;
            script:
                a_script_is_kept_with_its_integration
                a_decided_conversation_is_taken_as_it_is
                a_decided_user_is_taken_as_it_is
                what_is_gone_or_anothers_cannot_be_decided_on;
            unmapped:
                what_waits_is_taken_once
                what_waits_in_a_thread_is_taken_in_order
                what_cannot_be_taken_waits_on;
            workflow:
                a_workflow_is_made_changed_and_deleted
                a_status_that_cannot_follow_is_refused
                a_workflow_is_found_by_name_tags_and_group
                workflows_are_filtered_and_paged
                unknown_references_are_named
                what_belongs_to_a_workflow_goes_with_it;
            workflow_news:
                a_workflow_goes_on_until_it_ends
                a_workflow_goes_on_when_a_message_is_processed
                a_workflow_whose_event_fails_stays_as_it_is
                a_listening_workflow_is_woken
                a_workflow_times_out_once
                a_parent_hears_of_its_parts
                nothing_is_told_of_a_deleted_workflow
                nothing_of_another_bots_workflow_is_reached;
            tag_value:
                values_come_once_and_in_order
                a_value_goes_with_the_last_that_has_it
                values_of_others_are_not_told
                pages_hold_while_values_come_and_go
                what_was_there_is_listed_after_a_restart
                random_changes_leave_the_values_that_there_are
                racing_writes_and_questions_agree_in_the_end;
        }
    };
    (@core $factory:expr) => {
        $crate::contract_tests! { @modules $factory;
            access:
                a_bot_comes_with_its_user_integrations_and_tokens
                what_must_be_unique_is_refused_and_nothing_of_it_is_kept
                an_integration_changes
                a_token_is_revoked_once
                a_token_that_ended_never_comes_back
                a_token_gives_way_to_a_new_one
                a_bot_is_renamed;
            conversation:
                odd_characters_come_back_and_filter_exactly
                a_deleted_thread_starts_anew
                racing_tag_updates_all_survive
                found_by_a_part_of_its_tags_however_it_was_made
                other_tags_are_merged_and_empty_ones_unset
                create_unless_names_the_existing_one
                a_rekey_keeps_the_old_name_and_never_brings_it_back
                a_rekey_does_not_take_an_identity_from_another
                a_reset_thread_begins_anew_and_the_old_one_stays
                a_reset_races_with_what_comes_in
                participants_join_once_in_order
                lists_sort_filter_and_page;
            user:
                a_user_is_found_within_its_integration
                a_user_changes_and_is_listed
                a_deleted_user_frees_its_identity_and_leaves_its_messages;
            message:
                a_post_answers_with_what_is_stored
                places_are_counted_without_gaps
                pages_hold_within_one_millisecond_while_rows_come_and_go
                a_repetition_by_tags_or_key_adds_nothing
                unknown_references_are_named
                a_message_changes_and_goes
                lists_filter_by_tags_time_and_integration
                a_deleted_message_is_never_the_answer;
            ingest:
                an_update_makes_all_that_belongs_to_it
                a_redelivery_writes_nothing
                what_was_taken_is_told_without_taking_it
                a_redelivery_does_not_bring_back_what_was_deleted
                a_batch_is_taken_whole_or_not_at_all
                an_event_makes_no_conversation
                a_poll_position_goes_with_its_batch;
            event:
                an_event_shows_what_it_announces_as_it_is_now
                an_announcement_is_known_from_its_message
                events_of_all_kinds_are_listed_together
                what_is_deleted_between_pages_is_passed_over
                events_are_filtered_and_paged
                unknown_references_are_named;
            state:
                a_state_is_written_patched_and_removed
                a_state_is_over_when_its_time_is
                a_patch_keeps_every_digit_and_the_order_of_keys
                each_owner_has_names_of_its_own
                a_missing_subject_is_named
                the_bot_is_told_once_of_each_expiry
                what_is_not_the_bots_expires_in_silence;
            delivery:
                a_line_is_kept_and_lines_do_not_wait_for_each_other
                a_retry_waits_and_an_asked_wait_does_not_count
                the_dead_make_way_and_come_back_at_the_end
                the_dismissed_are_set_aside_and_may_come_back
                an_event_that_was_dismissed_has_failed
                replies_are_stored_with_the_completion
                replies_without_a_conversation_are_dead
                an_inactive_integration_fails_visibly
                parts_that_left_are_remembered
                what_was_deleted_is_gone
                a_message_is_retried_by_its_own_id
                retries_leave_room_for_first_tries
                who_waits_is_told_after_the_commit;
            line:
                a_crowd_of_one_line_holds_up_no_other
                what_comes_meanwhile_comes_behind
                random_sequences_keep_the_lines;
            lost:
                a_lease_runs_out_and_its_holder_is_too_late
                in_flight_is_freed_at_the_start
                uncertain_tries_stay_counted
                a_lost_send_is_uncertain_where_it_must_not_be_repeated;
            identity:
                random_sequences_do_as_the_plain_model_does
                racing_sequences_end_as_some_serial_order;
            cursors:
                random_histories_pass_between_pages;
            race:
                racing_get_or_creates_make_each_once
                racing_ingests_make_each_once
                racing_redeliveries_are_stored_once;
            isolation:
                nothing_of_another_bot_is_read
                nothing_of_another_bot_is_written
                nothing_new_refers_to_another_bots;
            limits:
                merged_tags_are_counted
                what_a_channel_brings_never_bounces
                a_patched_state_keeps_its_size;
            restart:
                what_was_answered_is_there_after_a_restart
                a_sweep_removes_the_rest_of_what_was_deleted
                a_closed_store_takes_nothing;
        }
    };
    (@modules $factory:expr; $($module:ident: $($case:ident)*;)*) => {
        $(mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    $crate::contract::$module::$case(&$factory).await;
                }
            )*
        })*
    };
}
