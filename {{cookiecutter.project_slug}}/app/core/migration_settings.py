"""The settings that migrations run with: without the application's secrets, which they don't need."""

from app.core.database_settings import DatabaseSettings, load_settings

settings = load_settings(DatabaseSettings)
