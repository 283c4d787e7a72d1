//! Bots, integrations and tokens.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};
use switchboard_model::{
    Bot, BotId, Error, Integration, IntegrationId, Kind, Result, Timestamp, Token, TokenId, UserId,
};
use switchboard_store::{
    AccessStore, CreateBot, IntegrationChange, NewIntegration, NewToken, NewUser, RotateToken,
    SealedSecret, TokenHash, UserUpdate,
};

use crate::failure::Done;
use crate::writer::Tx;
use crate::{SqliteStore, rows, user};

const INSERT_BOT: &str = "INSERT INTO bot (public, name, created_at) VALUES (?1, ?2, ?3)";
const BOT: &str = "SELECT public, name, created_at FROM bot WHERE public = ?1";
const BOTS: &str = "SELECT public, name, created_at FROM bot ORDER BY id";

const INSERT_INTEGRATION: &str = "INSERT INTO integration
    (public, bot, alias, platform, webhook_id, active, secret, created_at, updated_at, script)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const ALIAS_TAKEN: &str = "SELECT 1 FROM integration WHERE bot = ?1 AND alias = ?2";
const WEBHOOK_TAKEN: &str = "SELECT 1 FROM integration WHERE webhook_id = ?1";
const CHANGE_INTEGRATION: &str = "UPDATE integration
    SET active = coalesce(?2, active), secret = coalesce(?3, secret), updated_at = ?4,
        script = nullif(coalesce(?5, script), '')
    WHERE public = ?1";
macro_rules! select_integration {
    () => {
        "SELECT i.public, b.public, i.alias, i.platform, i.webhook_id, i.active, i.created_at,
            i.updated_at
        FROM integration i CROSS JOIN bot b ON b.id = i.bot"
    };
}
const INTEGRATION: &str = concat!(
    select_integration!(),
    " WHERE i.public = ?1 AND b.public = ?2"
);
const INTEGRATIONS: &str = concat!(
    select_integration!(),
    " WHERE i.bot = (SELECT id FROM bot WHERE public = ?1) ORDER BY i.id"
);
const WEBHOOK: &str = concat!(select_integration!(), " WHERE i.webhook_id = ?1");
const SCRIPT: &str = "SELECT i.script FROM integration i CROSS JOIN bot b ON b.id = i.bot
    WHERE i.public = ?1 AND b.public = ?2";
const SECRET: &str = "SELECT secret FROM integration WHERE public = ?1";

const INSERT_TOKEN: &str = "INSERT INTO token
    (public, bot, integration, label, hint, hash, created_at, revoked_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const HASH_TAKEN: &str = "SELECT 1 FROM token WHERE hash = ?1";
macro_rules! select_token {
    () => {
        "SELECT t.public, b.public, i.public, t.label, t.hint, t.created_at, t.revoked_at
        FROM token t CROSS JOIN bot b ON b.id = t.bot
        LEFT JOIN integration i ON i.id = t.integration"
    };
}
const BY_HASH: &str = concat!(select_token!(), " WHERE t.hash = ?1");
const TOKEN: &str = concat!(select_token!(), " WHERE t.public = ?1 AND b.public = ?2");
const TOKENS: &str = concat!(
    select_token!(),
    " WHERE t.bot = (SELECT id FROM bot WHERE public = ?1) ORDER BY t.id"
);
const REVOKE: &str = "UPDATE token SET revoked_at = ?2
    WHERE public = ?1 AND (revoked_at IS NULL OR revoked_at > ?2)";
const RENAME_BOT: &str = "UPDATE bot SET name = ?2 WHERE public = ?1";

fn taken(field: &str, reason: &str) -> Error {
    Error::AlreadyExists {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

fn create_bot(tx: &mut Tx<'_>, command: &CreateBot) -> Done<()> {
    let bot = &command.bot;
    if rows::bot(tx.connection, bot.id)?.is_some() {
        return Err(taken("id", "a bot with this id exists; make another id").into());
    }
    let number = rows::insert(
        tx.connection,
        INSERT_BOT,
        params![bot.id.to_bytes(), bot.name, bot.created_at.as_millis()],
    )?;
    let own = NewUser {
        id: UserId::from(bot.id),
        bot: bot.id,
        integration: None,
        tags: switchboard_model::Tags::new(),
        name: Some(bot.name.clone()),
        picture_url: None,
        now: bot.created_at,
    };
    user::insert(tx.connection, user::Scope::of_bot(number, bot.id), &own)?;
    for integration in &command.integrations {
        create_integration(tx, integration)?;
    }
    for token in &command.tokens {
        create_token(tx, token)?;
    }
    Ok(())
}

fn create_integration(tx: &mut Tx<'_>, command: &NewIntegration) -> Done<()> {
    let new = &command.integration;
    let bot = rows::known_bot(tx.connection, new.bot)?;
    let alias = rows::value::<i64>(tx.connection, ALIAS_TAKEN, params![bot, new.alias])?;
    if alias.is_some() {
        let reason = format!(
            "the bot has an integration {:?} already; choose another alias, or change that one",
            new.alias
        );
        return Err(taken("alias", &reason).into());
    }
    let webhook = rows::value::<i64>(tx.connection, WEBHOOK_TAKEN, [&new.webhook_id])?;
    if webhook.is_some() {
        return Err(taken("webhookId", "it is in use; make another").into());
    }
    rows::insert(
        tx.connection,
        INSERT_INTEGRATION,
        params![
            new.id.to_bytes(),
            bot,
            new.alias,
            new.platform,
            new.webhook_id,
            new.active,
            command.secret.as_ref().map(|secret| &secret.0),
            new.created_at.as_millis(),
            new.updated_at.as_millis(),
            command.script
        ],
    )?;
    Ok(())
}

fn update_integration(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: IntegrationId,
    change: &IntegrationChange,
    now: Timestamp,
) -> Done<Option<Integration>> {
    if rows::integration(tx.connection, bot, id)?.is_none() {
        return Ok(None);
    }
    rows::execute(
        tx.connection,
        CHANGE_INTEGRATION,
        params![
            id.to_bytes(),
            change.active,
            change.secret.as_ref().map(|secret| &secret.0),
            now.as_millis(),
            change.script
        ],
    )?;
    get_integration(tx.connection, bot, id)
}

fn get_integration(
    connection: &Connection,
    bot: BotId,
    id: IntegrationId,
) -> Done<Option<Integration>> {
    rows::one(
        connection,
        INTEGRATION,
        [id.to_bytes(), bot.to_bytes()],
        integration,
    )
}

fn create_token(tx: &mut Tx<'_>, new: &NewToken) -> Done<()> {
    let token = &new.token;
    let bot = rows::known_bot(tx.connection, token.bot)?;
    let integration = match token.integration {
        Some(id) => Some(
            rows::integration(tx.connection, token.bot, id)?
                .ok_or_else(|| Error::reference("integration", Kind::Integration, id))?,
        ),
        None => None,
    };
    if rows::value::<i64>(tx.connection, HASH_TAKEN, [new.hash.0])?.is_some() {
        return Err(taken("token", "this token is known already; make another").into());
    }
    rows::insert(
        tx.connection,
        INSERT_TOKEN,
        params![
            token.id.to_bytes(),
            bot,
            integration,
            token.label,
            token.hint,
            new.hash.0,
            token.created_at.as_millis(),
            token.revoked_at.map(Timestamp::as_millis)
        ],
    )?;
    Ok(())
}

fn revoke_token(tx: &mut Tx<'_>, bot: BotId, id: TokenId, now: Timestamp) -> Done<Option<Token>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    if rows::one(tx.connection, TOKEN, keys, token)?.is_none() {
        return Ok(None);
    }
    rows::execute(
        tx.connection,
        REVOKE,
        params![id.to_bytes(), now.as_millis()],
    )?;
    rows::one(tx.connection, TOKEN, keys, token)
}

fn rotate_token(tx: &mut Tx<'_>, command: &RotateToken) -> Done<Option<Token>> {
    let keys = [command.id.to_bytes(), command.bot.to_bytes()];
    let Some(old) = rows::one(tx.connection, TOKEN, keys, token)? else {
        return Ok(None);
    };
    if old.has_ended(command.now) {
        return Err(Error::invalid(
            "id",
            "expected a token that is still taken; this one has ended, create another",
        )
        .into());
    }
    create_token(tx, &command.new)?;
    revoke_token(tx, command.bot, command.id, command.ends)
}

fn rename_bot(tx: &mut Tx<'_>, id: BotId, name: &str, now: Timestamp) -> Done<Option<Bot>> {
    let key = id.to_bytes();
    if rows::execute(tx.connection, RENAME_BOT, params![key, name])? == 0 {
        return Ok(None);
    }
    let update = UserUpdate {
        name: Some(Some(name.to_owned())),
        ..UserUpdate::default()
    };
    user::update(tx, id, UserId::from(id), update, now)?;
    rows::one(tx.connection, BOT, [key], bot)
}

fn bot(row: &Row<'_>) -> rusqlite::Result<Bot> {
    Ok(Bot {
        id: BotId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        created_at: rows::time(row, 2)?,
    })
}

fn integration(row: &Row<'_>) -> rusqlite::Result<Integration> {
    Ok(Integration {
        id: IntegrationId::from_bytes(row.get(0)?),
        bot: BotId::from_bytes(row.get(1)?),
        alias: row.get(2)?,
        platform: row.get(3)?,
        webhook_id: row.get(4)?,
        active: row.get(5)?,
        created_at: rows::time(row, 6)?,
        updated_at: rows::time(row, 7)?,
    })
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: TokenId::from_bytes(row.get(0)?),
        bot: BotId::from_bytes(row.get(1)?),
        integration: row
            .get::<_, Option<[u8; 16]>>(2)?
            .map(IntegrationId::from_bytes),
        label: row.get(3)?,
        hint: row.get(4)?,
        created_at: rows::time(row, 5)?,
        revoked_at: rows::time_or_none(row, 6)?,
    })
}

impl SqliteStore {
    /// As [`write`](Self::write), for what decides who may come in: every write of this file.
    async fn change<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.write(move |tx| {
            tx.access_changed();
            work(tx)
        })
        .await
    }
}

#[async_trait]
impl AccessStore for SqliteStore {
    async fn create_bot(&self, command: CreateBot) -> Result<()> {
        self.change(move |tx| create_bot(tx, &command)).await
    }

    async fn get_bot(&self, id: BotId) -> Result<Option<Bot>> {
        self.read_access(|connection| rows::one(connection, BOT, [id.to_bytes()], bot))
            .await
    }

    async fn list_bots(&self) -> Result<Vec<Bot>> {
        self.read_access(|connection| rows::all(connection, BOTS, [], bot))
            .await
    }

    async fn rename_bot(&self, id: BotId, name: &str, now: Timestamp) -> Result<Option<Bot>> {
        let name = name.to_owned();
        self.change(move |tx| rename_bot(tx, id, &name, now)).await
    }

    async fn create_integration(&self, command: NewIntegration) -> Result<()> {
        self.change(move |tx| create_integration(tx, &command))
            .await
    }

    async fn update_integration(
        &self,
        bot: BotId,
        id: IntegrationId,
        change: IntegrationChange,
        now: Timestamp,
    ) -> Result<Option<Integration>> {
        self.change(move |tx| update_integration(tx, bot, id, &change, now))
            .await
    }

    async fn get_integration(&self, bot: BotId, id: IntegrationId) -> Result<Option<Integration>> {
        self.read_access(|connection| get_integration(connection, bot, id))
            .await
    }

    async fn list_integrations(&self, bot: BotId) -> Result<Vec<Integration>> {
        self.read_access(|connection| {
            rows::all(connection, INTEGRATIONS, [bot.to_bytes()], integration)
        })
        .await
    }

    async fn find_webhook(&self, webhook_id: &str) -> Result<Option<Integration>> {
        self.read_access(|connection| rows::one(connection, WEBHOOK, [webhook_id], integration))
            .await
    }

    async fn integration_secret(&self, id: IntegrationId) -> Result<Option<SealedSecret>> {
        self.read_access(|connection| {
            let secret = rows::value::<Option<Vec<u8>>>(connection, SECRET, [id.to_bytes()])?;
            Ok(secret.flatten().map(SealedSecret))
        })
        .await
    }

    async fn integration_script(&self, bot: BotId, id: IntegrationId) -> Result<Option<String>> {
        self.read_access(|connection| {
            let keys = [id.to_bytes(), bot.to_bytes()];
            Ok(rows::value::<Option<String>>(connection, SCRIPT, keys)?.flatten())
        })
        .await
    }

    async fn create_token(&self, token: NewToken) -> Result<()> {
        self.change(move |tx| create_token(tx, &token)).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<Token>> {
        self.known_token(hash, |connection| {
            rows::one(connection, BY_HASH, [hash.0], token)
        })
    }

    async fn list_tokens(&self, bot: BotId) -> Result<Vec<Token>> {
        self.read_access(|connection| rows::all(connection, TOKENS, [bot.to_bytes()], token))
            .await
    }

    async fn revoke_token(&self, bot: BotId, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
        self.change(move |tx| revoke_token(tx, bot, id, now)).await
    }

    async fn rotate_token(&self, command: RotateToken) -> Result<Option<Token>> {
        self.change(move |tx| rotate_token(tx, &command)).await
    }
}
