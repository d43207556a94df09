{# The verbs for compose.yaml, for the end of a Makefile. #}

SECRETS := $(shell sed -n 's/^ *file: //p' compose.yaml 2>/dev/null)

.PHONY: up down
up: $(SECRETS) ## Build and start the containers, on http://127.0.0.1:8000/docs
	@docker compose up --build --detach --wait

down: ## Stop the containers; their data stays
	@docker compose down

# The folder keeps others out; the user of a container may read the file that it is given
.secrets/%:
	@umask 022 && mkdir -p -m 700 .secrets \
	&& python3 -c 'import secrets; print(secrets.token_urlsafe(32))' >$@
{% if cookiecutter.database == 'postgresql' %}

.secrets/database_url: .secrets/database_password
	@umask 022 && echo "postgresql://app:$$(cat $<)@database/app" >$@
{% endif %}
