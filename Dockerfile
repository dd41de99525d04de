# The program with everything that its transports need; `docker run IMAGE --roles studio`.
FROM python:3.13-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY duco_rt duco_rt
COPY static static
RUN useradd --create-home duco && mkdir /data && chown duco /data
USER duco
VOLUME /data
ENV DUCO_APP__DATA_DIR=/data PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "-m", "duco_rt", "run"]
