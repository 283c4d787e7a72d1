//! Bots, integrations and tokens.

use async_trait::async_trait;
use switchboard_model::{
    Bot, BotId, Error, Integration, IntegrationId, Kind, Result, Timestamp, Token, TokenId, UserId,
};
use switchboard_store::{
    AccessStore, CreateBot, IntegrationChange, NewIntegration, NewToken, NewUser, RotateToken,
    SealedSecret, TokenHash, UserUpdate,
};
use tokio_postgres::Row;

use crate::connection::{Connection, Id};
use crate::failure::Done;
use crate::missing::not_served;
use crate::writer::Tx;
use crate::{PostgresStore, rows, user};

const INSERT_BOT: &str =
    "INSERT INTO bot (public, name, created_at) VALUES ($1, $2, $3) RETURNING id";
const BOT: &str = "SELECT public, name, created_at FROM bot WHERE public = $1";
const BOTS: &str = "SELECT public, name, created_at FROM bot ORDER BY id";
const RENAME_BOT: &str = "UPDATE bot SET name = $2 WHERE public = $1";

const INSERT_INTEGRATION: &str = "INSERT INTO integration
    (public, bot, alias, platform, webhook_id, active, secret, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ALIAS_TAKEN: &str = "SELECT id FROM integration WHERE bot = $1 AND alias = $2";
const WEBHOOK_TAKEN: &str = "SELECT id FROM integration WHERE webhook_id = $1";
const CHANGE_INTEGRATION: &str = "UPDATE integration
    SET active = coalesce($2, active), secret = coalesce($3, secret), updated_at = $4
    WHERE public = $1";
macro_rules! select_integration {
    () => {
        "SELECT i.public, b.public, i.alias, i.platform, i.webhook_id, i.active, i.created_at,
            i.updated_at
        FROM integration i JOIN bot b ON b.id = i.bot"
    };
}
const INTEGRATION: &str = concat!(
    select_integration!(),
    " WHERE i.public = $1 AND b.public = $2"
);
const INTEGRATIONS: &str = concat!(select_integration!(), " WHERE b.public = $1 ORDER BY i.id");
const WEBHOOK: &str = concat!(select_integration!(), " WHERE i.webhook_id = $1");
const SECRET: &str = "SELECT secret FROM integration WHERE public = $1";

const INSERT_TOKEN: &str = "INSERT INTO token
    (public, bot, integration, label, hint, hash, created_at, revoked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const HASH_TAKEN: &str = "SELECT id FROM token WHERE hash = $1";
macro_rules! select_token {
    () => {
        "SELECT t.public, b.public, i.public, t.label, t.hint, t.created_at, t.revoked_at
        FROM token t JOIN bot b ON b.id = t.bot
        LEFT JOIN integration i ON i.id = t.integration"
    };
}
const BY_HASH: &str = concat!(select_token!(), " WHERE t.hash = $1");
const TOKEN: &str = concat!(select_token!(), " WHERE t.public = $1 AND b.public = $2");
const LOCKED_TOKEN: &str = concat!(
    select_token!(),
    " WHERE t.public = $1 AND b.public = $2 FOR NO KEY UPDATE OF t"
);
const TOKENS: &str = concat!(select_token!(), " WHERE b.public = $1 ORDER BY t.id");
const REVOKE: &str = "UPDATE token SET revoked_at = $2
    WHERE public = $1 AND (revoked_at IS NULL OR revoked_at > $2)";

fn taken(field: &str, reason: &str) -> Error {
    Error::AlreadyExists {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

async fn create_bot(tx: &mut Tx, command: &CreateBot) -> Done<()> {
    let bot = &command.bot;
    if rows::bot(tx, bot.id).await?.is_some() {
        return Err(taken("id", "a bot with this id exists; make another id").into());
    }
    let (id, at) = (Id(bot.id.to_bytes()), bot.created_at.as_millis());
    let number = tx.sure(INSERT_BOT, &[&id, &bot.name, &at]).await?;
    let own = NewUser {
        id: UserId::from(bot.id),
        bot: bot.id,
        integration: None,
        tags: switchboard_model::Tags::new(),
        name: Some(bot.name.clone()),
        picture_url: None,
        now: bot.created_at,
    };
    user::insert(tx, number, &own).await?;
    for integration in &command.integrations {
        create_integration(tx, integration).await?;
    }
    for token in &command.tokens {
        create_token(tx, token).await?;
    }
    Ok(())
}

async fn rename_bot(tx: &mut Tx, id: BotId, name: &str, now: Timestamp) -> Done<Option<Bot>> {
    let key = Id(id.to_bytes());
    // The user first: its scope comes before any row.
    let update = UserUpdate {
        name: Some(Some(name.to_owned())),
        ..UserUpdate::default()
    };
    if user::update(tx, id, UserId::from(id), &update, now)
        .await?
        .is_none()
    {
        return Ok(None);
    }
    tx.execute(RENAME_BOT, &[&key, &name]).await?;
    tx.one(BOT, &[&key], bot).await
}

async fn create_integration(tx: &Tx, command: &NewIntegration) -> Done<()> {
    if command.script.is_some() {
        return Err(not_served("scripts of integrations").into());
    }
    let new = &command.integration;
    let bot = rows::known_bot(tx, new.bot).await?;
    let alias = tx.value::<i64>(ALIAS_TAKEN, &[&bot, &new.alias]).await?;
    if alias.is_some() {
        let reason = format!(
            "the bot has an integration {:?} already; choose another alias, or change that one",
            new.alias
        );
        return Err(taken("alias", &reason).into());
    }
    let webhook = tx.value::<i64>(WEBHOOK_TAKEN, &[&new.webhook_id]).await?;
    if webhook.is_some() {
        return Err(taken("webhookId", "it is in use; make another").into());
    }
    tx.execute(
        INSERT_INTEGRATION,
        &[
            &Id(new.id.to_bytes()),
            &bot,
            &new.alias,
            &new.platform,
            &new.webhook_id,
            &new.active,
            &command.secret.as_ref().map(|secret| &secret.0),
            &new.created_at.as_millis(),
            &new.updated_at.as_millis(),
        ],
    )
    .await?;
    Ok(())
}

async fn update_integration(
    tx: &Tx,
    bot: BotId,
    id: IntegrationId,
    change: &IntegrationChange,
    now: Timestamp,
) -> Done<Option<Integration>> {
    if change.script.as_ref().is_some_and(|new| !new.is_empty()) {
        return Err(not_served("scripts of integrations").into());
    }
    if rows::integration(tx, bot, id).await?.is_none() {
        return Ok(None);
    }
    let secret = change.secret.as_ref().map(|secret| &secret.0);
    tx.execute(
        CHANGE_INTEGRATION,
        &[
            &Id(id.to_bytes()),
            &change.active,
            &secret,
            &now.as_millis(),
        ],
    )
    .await?;
    get_integration(tx, bot, id).await
}

async fn get_integration(
    connection: &Connection,
    bot: BotId,
    id: IntegrationId,
) -> Done<Option<Integration>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    connection
        .one(INTEGRATION, &[&keys.0, &keys.1], integration)
        .await
}

async fn create_token(tx: &Tx, new: &NewToken) -> Done<()> {
    let token = &new.token;
    let bot = rows::known_bot(tx, token.bot).await?;
    let integration = match token.integration {
        Some(id) => Some(
            rows::integration(tx, token.bot, id)
                .await?
                .ok_or_else(|| Error::reference("integration", Kind::Integration, id))?,
        ),
        None => None,
    };
    let hash = new.hash.0.as_slice();
    if tx.value::<i64>(HASH_TAKEN, &[&hash]).await?.is_some() {
        return Err(taken("token", "this token is known already; make another").into());
    }
    tx.execute(
        INSERT_TOKEN,
        &[
            &Id(token.id.to_bytes()),
            &bot,
            &integration,
            &token.label,
            &token.hint,
            &hash,
            &token.created_at.as_millis(),
            &token.revoked_at.map(Timestamp::as_millis),
        ],
    )
    .await?;
    Ok(())
}

async fn revoke_token(tx: &Tx, bot: BotId, id: TokenId, now: Timestamp) -> Done<Option<Token>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    if tx
        .one(LOCKED_TOKEN, &[&keys.0, &keys.1], token)
        .await?
        .is_none()
    {
        return Ok(None);
    }
    tx.execute(REVOKE, &[&keys.0, &now.as_millis()]).await?;
    tx.one(TOKEN, &[&keys.0, &keys.1], token).await
}

async fn rotate_token(tx: &Tx, command: &RotateToken) -> Done<Option<Token>> {
    let keys = (Id(command.id.to_bytes()), Id(command.bot.to_bytes()));
    let Some(old) = tx.one(LOCKED_TOKEN, &[&keys.0, &keys.1], token).await? else {
        return Ok(None);
    };
    if old.has_ended(command.now) {
        return Err(Error::invalid(
            "id",
            "expected a token that is still taken; this one has ended, create another",
        )
        .into());
    }
    create_token(tx, &command.new).await?;
    revoke_token(tx, command.bot, command.id, command.ends).await
}

fn bot(row: &Row) -> Done<Bot> {
    Ok(Bot {
        id: BotId::from_bytes(rows::bytes(row, 0)?),
        name: row.try_get(1)?,
        created_at: rows::time(row, 2)?,
    })
}

fn integration(row: &Row) -> Done<Integration> {
    Ok(Integration {
        id: IntegrationId::from_bytes(rows::bytes(row, 0)?),
        bot: BotId::from_bytes(rows::bytes(row, 1)?),
        alias: row.try_get(2)?,
        platform: row.try_get(3)?,
        webhook_id: row.try_get(4)?,
        active: row.try_get(5)?,
        created_at: rows::time(row, 6)?,
        updated_at: rows::time(row, 7)?,
    })
}

fn token(row: &Row) -> Done<Token> {
    Ok(Token {
        id: TokenId::from_bytes(rows::bytes(row, 0)?),
        bot: BotId::from_bytes(rows::bytes(row, 1)?),
        integration: rows::bytes_or_none(row, 2)?.map(IntegrationId::from_bytes),
        label: row.try_get(3)?,
        hint: row.try_get(4)?,
        created_at: rows::time(row, 5)?,
        revoked_at: rows::time_or_none(row, 6)?,
    })
}

#[async_trait]
impl AccessStore for PostgresStore {
    async fn create_bot(&self, command: CreateBot) -> Result<()> {
        self.write(command, |tx, command| Box::pin(create_bot(tx, command)))
            .await
    }

    async fn get_bot(&self, id: BotId) -> Result<Option<Bot>> {
        self.look(id, |connection, id| {
            Box::pin(async move { connection.one(BOT, &[&Id(id.to_bytes())], bot).await })
        })
        .await
    }

    async fn list_bots(&self) -> Result<Vec<Bot>> {
        self.look((), |connection, ()| {
            Box::pin(connection.all(BOTS, &[], bot))
        })
        .await
    }

    async fn rename_bot(&self, id: BotId, name: &str, now: Timestamp) -> Result<Option<Bot>> {
        self.write((id, name.to_owned(), now), |tx, (id, name, now)| {
            Box::pin(rename_bot(tx, *id, name, *now))
        })
        .await
    }

    async fn create_integration(&self, command: NewIntegration) -> Result<()> {
        self.write(command, |tx, command| {
            Box::pin(create_integration(tx, command))
        })
        .await
    }

    async fn integration_script(&self, _: BotId, _: IntegrationId) -> Result<Option<String>> {
        Ok(None)
    }

    async fn update_integration(
        &self,
        bot: BotId,
        id: IntegrationId,
        change: IntegrationChange,
        now: Timestamp,
    ) -> Result<Option<Integration>> {
        self.write((bot, id, change, now), |tx, (bot, id, change, now)| {
            Box::pin(update_integration(tx, *bot, *id, change, *now))
        })
        .await
    }

    async fn get_integration(&self, bot: BotId, id: IntegrationId) -> Result<Option<Integration>> {
        self.look((bot, id), |connection, (bot, id)| {
            Box::pin(get_integration(connection, *bot, *id))
        })
        .await
    }

    async fn list_integrations(&self, bot: BotId) -> Result<Vec<Integration>> {
        self.look(bot, |connection, bot| {
            Box::pin(async move {
                let key = Id(bot.to_bytes());
                connection.all(INTEGRATIONS, &[&key], integration).await
            })
        })
        .await
    }

    async fn find_webhook(&self, webhook_id: &str) -> Result<Option<Integration>> {
        self.look(webhook_id.to_owned(), |connection, id| {
            Box::pin(async move { connection.one(WEBHOOK, &[id], integration).await })
        })
        .await
    }

    async fn integration_secret(&self, id: IntegrationId) -> Result<Option<SealedSecret>> {
        self.look(id, |connection, id| {
            Box::pin(async move {
                let key = Id(id.to_bytes());
                let secret = connection.value::<Option<Vec<u8>>>(SECRET, &[&key]).await?;
                Ok(secret.flatten().map(SealedSecret))
            })
        })
        .await
    }

    async fn create_token(&self, token: NewToken) -> Result<()> {
        self.write(token, |tx, token| Box::pin(create_token(tx, token)))
            .await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<Token>> {
        self.look(hash, |connection, hash| {
            Box::pin(async move {
                let hash = hash.0.as_slice();
                connection.one(BY_HASH, &[&hash], token).await
            })
        })
        .await
    }

    async fn list_tokens(&self, bot: BotId) -> Result<Vec<Token>> {
        self.look(bot, |connection, bot| {
            Box::pin(async move {
                let key = Id(bot.to_bytes());
                connection.all(TOKENS, &[&key], token).await
            })
        })
        .await
    }

    async fn revoke_token(&self, bot: BotId, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
        self.write((bot, id, now), |tx, (bot, id, now)| {
            Box::pin(revoke_token(tx, *bot, *id, *now))
        })
        .await
    }

    async fn rotate_token(&self, command: RotateToken) -> Result<Option<Token>> {
        self.write(command, |tx, command| Box::pin(rotate_token(tx, command)))
            .await
    }
}
